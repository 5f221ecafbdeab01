"""Where a message is written: a field that grows with its text, a send button, and a stop button while a reply runs.

Enter sends, Shift+Enter begins a new line. A very long paste is kept beside the field rather than in it: laying out
megabytes of text would freeze the window.
"""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QRectF, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QTextCursor,
    QTextOption,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from desktop.theme.theme import Theme
from desktop.widgets.icon_button import ButtonStyle, IconButton
from runtime.values.wording import bytes_text

MAX_LINES = 9
LONG_PASTE_CHARACTERS = 20_000
RADIUS_PX = 16.0
PADDING_PX = 10
TEXT_INSET_PX = 4


class MessageField(QPlainTextEdit):
    """The text field.

    Signals:
        submitted: Enter was pressed.
        long_pasted: a text too long for a field was pasted; carries it.
        focus_moved: the keyboard focus came or went.
    """

    submitted = Signal()
    long_pasted = Signal(str)
    focus_moved = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("composer")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTabChangesFocus(True)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(TEXT_INSET_PX)
        self.document().documentLayout().documentSizeChanged.connect(lambda _: self.fit_height())

    def fit_height(self) -> None:
        """Be as high as the text, up to a few lines; from there on, scroll."""
        lines = max(1, min(MAX_LINES, int(self.document().size().height())))
        margin = 2 * self.document().documentMargin()
        self.setFixedHeight(round(lines * self.fontMetrics().lineSpacing() + margin + 2))
        shown = Qt.ScrollBarPolicy.ScrollBarAsNeeded if lines == MAX_LINES else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(shown)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Send on Enter; with Shift, or on the keypad's own terms, begin a new line."""
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and not event.modifiers() & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier):
            self.submitted.emit()
            return
        super().keyPressEvent(event)

    def insertFromMimeData(self, source: QMimeData) -> None:
        """Insert plain text only; hand over what is too long for a field."""
        text = source.text()
        if len(text) > LONG_PASTE_CHARACTERS:
            self.long_pasted.emit(text)
        else:
            self.insertPlainText(text)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the focus on the frame."""
        super().focusInEvent(event)
        self.focus_moved.emit()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the focus off the frame."""
        super().focusOutEvent(event)
        self.focus_moved.emit()


class Composer(QWidget):
    """The field with its buttons.

    Signals:
        sent: the user wants this text sent; it stays here until `clear`.
        stop_requested: the user wants the reply to end.
        edited: the draft changed.
    """

    sent = Signal(str)
    stop_requested = Signal()
    edited = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._pasted = ""
        self._busy = False
        self._field = MessageField(self)
        self._field.setAccessibleName(self.tr("Message"))
        self._field.setPlaceholderText(self.tr("Message the model; it runs on this machine"))
        self._send = IconButton(
            theme, "arrow-up", "sendButton", self.tr("Send (Enter)"), style=ButtonStyle.ACCENT, parent=self
        )
        self._stop = IconButton(
            theme, "square-filled", "stopButton", self.tr("Stop (Esc)"), style=ButtonStyle.ACCENT, parent=self
        )
        self._stop.hide()
        self._paste_label = QLabel(self)
        self._paste_label.setObjectName("pasteLabel")
        self._paste_label.setTextFormat(Qt.TextFormat.PlainText)
        self._paste_drop = IconButton(theme, "x", "removePasteButton", self.tr("Remove the pasted text"), parent=self)
        self._paste_row = QWidget(self)
        self._edit_label = QLabel(self.tr("Editing a message; the answer begins a new version. Esc cancels."), self)
        self._edit_label.setObjectName("editLabel")
        self._edit_label.hide()
        self._notice = QLabel(self)
        self._notice.setObjectName("composerNotice")
        self._notice.setAccessibleName(self.tr("Notice"))
        self._notice.setWordWrap(True)
        self._notice.setTextFormat(Qt.TextFormat.PlainText)
        self._notice.hide()
        self._lay_out()
        self._connect()
        self.apply_theme(theme)
        self._show_paste()
        self._refresh()

    @property
    def text(self) -> str:
        """What would be sent."""
        written = self._field.toPlainText()
        return "\n\n".join(part for part in (written, self._pasted) if part) if self._pasted else written

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._theme = theme
        self._field.setFont(theme.fonts.text())
        self._field.setPalette(_field_palette(self._field.palette(), theme))
        self._paste_label.setFont(theme.fonts.text(0.95))
        self._notice.setFont(theme.fonts.text(0.95))
        self._edit_label.setFont(theme.fonts.text(0.9))
        notice_palette = self._notice.palette()
        notice_palette.setColor(QPalette.ColorRole.WindowText, QColor(theme.colors.bad))
        self._notice.setPalette(notice_palette)
        for button in (self._send, self._stop, self._paste_drop):
            button.apply_theme(theme)
        self._field.fit_height()
        self.update()

    def set_text(self, text: str) -> None:
        """Put a draft into the field, without it counting as an edit."""
        self._pasted = ""
        if len(text) > LONG_PASTE_CHARACTERS:
            self._pasted, text = text, ""
        with QSignalBlocker(self):
            self._field.setPlainText(text)
            self._field.moveCursor(QTextCursor.MoveOperation.End)
        self._show_paste()
        self._refresh()

    def clear(self) -> None:
        """Empty the field: what was in it is sent."""
        self.set_text("")
        self.show_notice("")

    def show_notice(self, text: str) -> None:
        """Say in place what is wrong with the message; nothing hides it."""
        self._notice.setText(text)
        self._notice.setVisible(bool(text))

    def set_editing(self, *, editing: bool) -> None:
        """Say whether the text will replace an earlier message."""
        self._edit_label.setVisible(editing)

    def set_busy(self, *, busy: bool) -> None:
        """Offer Stop while a reply runs, Send otherwise."""
        self._busy = busy
        self._stop.setVisible(busy)
        self._send.setVisible(not busy)
        self._refresh()

    def focus(self) -> None:
        """Put the cursor into the field."""
        self._field.setFocus(Qt.FocusReason.OtherFocusReason)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the frame around field and buttons, in the accent while the field has the focus."""
        colors = self._theme.colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        focused = self._field.hasFocus()
        painter.setPen(QPen(QColor(colors.accent if focused else colors.border), 1.5 if focused else 1))
        painter.setBrush(QColor(colors.card))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), RADIUS_PX, RADIUS_PX)
        painter.end()

    def _lay_out(self) -> None:
        pasted = QHBoxLayout(self._paste_row)
        pasted.setContentsMargins(TEXT_INSET_PX, 0, 0, 0)
        pasted.addWidget(self._paste_label)
        pasted.addWidget(self._paste_drop)
        pasted.addStretch(1)
        line = QHBoxLayout()
        line.setSpacing(PADDING_PX)
        line.addWidget(self._field, 1)
        line.addWidget(self._send, 0, Qt.AlignmentFlag.AlignBottom)
        line.addWidget(self._stop, 0, Qt.AlignmentFlag.AlignBottom)
        for label in (self._edit_label, self._notice):
            label.setContentsMargins(TEXT_INSET_PX, 0, 0, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(PADDING_PX + 4, PADDING_PX, PADDING_PX, PADDING_PX)
        column.setSpacing(4)
        column.addWidget(self._edit_label)
        column.addWidget(self._notice)
        column.addWidget(self._paste_row)
        column.addLayout(line)

    def _connect(self) -> None:
        self._field.submitted.connect(self._submit)
        self._field.long_pasted.connect(
            lambda text: self._keep_paste(f"{self._pasted}\n\n{text}" if self._pasted else text)
        )
        self._field.textChanged.connect(self._note_edit)
        self._field.focus_moved.connect(self.update)
        self._send.clicked.connect(self._submit)
        self._stop.clicked.connect(self.stop_requested)
        self._paste_drop.clicked.connect(lambda: self._keep_paste(""))

    def _submit(self) -> None:
        if self.text.strip() and not self._busy:
            self.sent.emit(self.text)

    def _keep_paste(self, text: str) -> None:
        self._pasted = text
        self._show_paste()
        self._note_edit()

    def _show_paste(self) -> None:
        self._paste_row.setVisible(bool(self._pasted))
        size = bytes_text(len(self._pasted.encode("utf-8", "replace")))
        self._paste_label.setText(self.tr("Pasted text, {size}").format(size=size))

    def _note_edit(self) -> None:
        self.show_notice("")
        self._refresh()
        self.edited.emit()

    def _refresh(self) -> None:
        self._send.setEnabled(bool(self._pasted or self._field.toPlainText().strip()))
        QTimer.singleShot(0, self._field.fit_height)


def _field_palette(palette: QPalette, theme: Theme) -> QPalette:
    palette.setColor(QPalette.ColorRole.Base, QColor(theme.colors.card))
    palette.setColor(QPalette.ColorRole.Text, QColor(theme.colors.text))
    palette.setColor(QPalette.ColorRole.PlaceholderText, QColor(theme.colors.faint))
    return palette
