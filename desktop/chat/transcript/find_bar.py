"""The bar of "find in page": a field, how many hits there are, and the way from one to the next."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QWidget

from desktop.chat.transcript.finder import TextFinder
from desktop.theme.theme import Theme
from desktop.widgets.icon_button import IconButton

RADIUS_PX = 9.0


class FindBar(QFrame):
    """What stands over the transcript's corner while something is looked for.

    Signals:
        stepped: carries 1 for the next hit, -1 for the previous one.
        closed: the user is done.
    """

    stepped = Signal(int)
    closed = Signal()

    def __init__(self, theme: Theme, finder: TextFinder, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("findBar")
        self.setAccessibleName(self.tr("Find in this chat"))
        self._theme = theme
        self._finder = finder
        self._field = QLineEdit(self)
        self._field.setObjectName("findField")
        self._field.setAccessibleName(self.tr("Find in this chat"))
        self._field.setPlaceholderText(self.tr("Find in this chat"))
        self._field.setFrame(False)
        self._count = QLabel(self)
        self._count.setObjectName("findCount")
        self._count.setAccessibleName(self.tr("Number of hits"))
        self._previous = IconButton(theme, "chevron-up", "findPreviousButton", self.tr("Previous hit"), parent=self)
        self._next = IconButton(theme, "chevron-down", "findNextButton", self.tr("Next hit"), parent=self)
        self._close = IconButton(theme, "x", "findCloseButton", self.tr("Close"), parent=self)
        self._lay_out()
        self._field.textEdited.connect(finder.start)
        self._previous.clicked.connect(lambda: self.stepped.emit(-1))
        self._next.clicked.connect(lambda: self.stepped.emit(1))
        self._close.clicked.connect(self.closed)
        finder.changed.connect(self._show_count)
        self.apply_theme(theme)
        self._show_count()

    def open(self, query: str) -> None:
        """Show the bar with `query` to be looked for or typed over; an empty one keeps what was looked for last."""
        self.show_query(query or self._field.text())
        self._field.selectAll()
        self._field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._finder.start(self._field.text())

    def show_query(self, query: str) -> None:
        """Show the bar with a query that is looked for already; the keyboard stays where it is."""
        self._field.setText(query)
        self.adjustSize()
        self.show()
        self.raise_()

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        self._theme = theme
        palette = QPalette(self.palette())
        for role, color in (
            (QPalette.ColorRole.Base, theme.colors.card),
            (QPalette.ColorRole.Text, theme.colors.text),
            (QPalette.ColorRole.PlaceholderText, theme.colors.faint),
            (QPalette.ColorRole.WindowText, theme.colors.muted),
        ):
            palette.setColor(role, QColor(color))
        for widget in (self._field, self._count):
            widget.setPalette(palette)
            widget.setFont(theme.fonts.text())
        for button in (self._previous, self._next, self._close):
            button.apply_theme(theme)
        self._field.setMinimumWidth(round(self._field.fontMetrics().averageCharWidth() * 22))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close on Escape; Enter goes to the next hit, with Shift to the previous one."""
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.stepped.emit(-1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint a card."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._theme.colors.border), 1))
        painter.setBrush(QColor(self._theme.colors.card))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS_PX, RADIUS_PX)
        painter.end()

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 4, 4, 4)
        layout.setSpacing(2)
        layout.addWidget(self._field, 1)
        layout.addWidget(self._count)
        layout.addSpacing(6)
        for button in (self._previous, self._next, self._close):
            layout.addWidget(button)

    def _show_count(self) -> None:
        finder = self._finder
        for button in (self._previous, self._next):
            button.setEnabled(bool(finder.hits))
        if not finder.query:
            self._count.setText("")
        elif not finder.hits:
            self._count.setText("" if finder.is_searching else self.tr("No hits"))
        else:
            more = "+" if finder.is_searching else ""
            total = f"{len(finder.hits)}{more}"
            self._count.setText(self.tr("{0} of {1}").format(finder.current_number, total))
