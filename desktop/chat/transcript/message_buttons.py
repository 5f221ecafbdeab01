"""The buttons beside a message: one set, which goes to the message that the pointer or the keyboard is at."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QWidget

from desktop.chat.transcript.message_view import MessageAction, MessageView
from desktop.theme.theme import Theme
from desktop.widgets.icon_button import IconButton

COPIED_SHOWN_MS = 1500


class MessageButtons(QWidget):
    """Copy, edit, regenerate, continue, why it was slow, delete, and the arrows between versions.

    Signals:
        action_requested: message id and `MessageAction`.
        branch_requested: message id, and 1 for the next version or -1 for the previous one.
    """

    action_requested = Signal(int, object)
    branch_requested = Signal(int, int)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("messageButtons")
        self.setAccessibleName(self.tr("Message"))
        self._area = parent
        self._view: MessageView | None = None
        self._copy = IconButton(theme, "copy", "copyMessageButton", self.tr("Copy"), parent=self)
        self._buttons = {
            MessageAction.COPY: self._copy,
            MessageAction.EDIT: IconButton(theme, "pencil", "editMessageButton", self.tr("Edit"), parent=self),
            MessageAction.REGENERATE: IconButton(
                theme, "refresh-cw", "regenerateButton", self.tr("Regenerate"), parent=self
            ),
            MessageAction.CONTINUE: IconButton(theme, "play", "continueButton", self.tr("Continue"), parent=self),
            MessageAction.EXPLAIN_WAIT: IconButton(
                theme, "timer", "explainWaitButton", self.tr("Why was this slow?"), parent=self
            ),
            MessageAction.DELETE: IconButton(theme, "trash-2", "deleteMessageButton", self.tr("Delete"), parent=self),
        }
        self._back = IconButton(
            theme, "chevron-left", "previousVersionButton", self.tr("Previous version"), parent=self
        )
        self._forth = IconButton(theme, "chevron-right", "nextVersionButton", self.tr("Next version"), parent=self)
        self._version = QLabel(self)
        self._version.setObjectName("versionLabel")
        self._version.setAccessibleName(self.tr("Version"))
        self._copied_timer = QTimer(self)
        self._copied_timer.setSingleShot(True)
        self._copied_timer.timeout.connect(lambda: self._copy.set_icon("copy"))
        self._lay_out()
        self._point_arrows()
        self._connect()
        self.apply_theme(theme)
        self.hide()

    @property
    def view(self) -> MessageView | None:
        """The message that the buttons are for."""
        return self._view

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        palette = QPalette(self.palette())
        palette.setColor(QPalette.ColorRole.WindowText, QColor(theme.colors.muted))
        self._version.setPalette(palette)
        self._version.setFont(theme.fonts.text(0.86))
        for button in (*self._buttons.values(), self._back, self._forth):
            button.apply_theme(theme)
        self.adjustSize()

    def show_for(self, view: MessageView | None) -> None:
        """Be the buttons of another message; of none, and hide."""
        if view is self._view:
            return
        if self._view is not None and view is not None and view.id != self._view.id:
            self._copied_timer.stop()
            self._copy.set_icon("copy")
        self._view = view
        if view is None:
            focused = QApplication.focusWidget()
            if focused is not None and self.isAncestorOf(focused):
                # Else the keyboard would go to whatever comes next in the window.
                self._area.setFocus(Qt.FocusReason.OtherFocusReason)
            self.hide()
            return
        for action, button in self._buttons.items():
            button.setVisible(action in view.actions)
        has_versions = view.branch_count > 1
        for widget in (self._back, self._version, self._forth):
            widget.setVisible(has_versions)
        self._version.setText(f"{view.branch_index + 1}/{view.branch_count}")
        self._back.setEnabled(view.branch_index > 0)
        self._forth.setEnabled(view.branch_index + 1 < view.branch_count)
        self.adjustSize()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the direction of the interface."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LayoutDirectionChange:
            self._point_arrows()

    def place(self, right: float, center_y: float) -> None:
        """Stand with the right edge at `right` and the middle at `center_y`, px."""
        self.move(QPoint(round(right) - self.width(), round(center_y - self.height() / 2)))
        self.show()

    def show_copied(self) -> None:
        """Show for a moment that the message was copied."""
        self._copy.set_icon("check")
        self._copied_timer.start(COPIED_SHOWN_MS)

    def full_width(self) -> int:
        """Return the room that all buttons together take, px."""
        buttons = (*self._buttons.values(), self._back, self._forth)
        return sum(button.sizeHint().width() for button in buttons) + self._version.fontMetrics().horizontalAdvance(
            "9/9"
        )

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for widget in (self._back, self._version, self._forth, *self._buttons.values()):
            layout.addWidget(widget)

    def _point_arrows(self) -> None:
        """Have the arrows point to where lines begin and end: the first version is the one at the beginning."""
        is_mirrored = self.layoutDirection() is Qt.LayoutDirection.RightToLeft
        self._back.set_icon("chevron-right" if is_mirrored else "chevron-left")
        self._forth.set_icon("chevron-left" if is_mirrored else "chevron-right")

    def _connect(self) -> None:
        for action, button in self._buttons.items():
            button.clicked.connect(lambda _checked=False, action=action: self._request(action))
        self._back.clicked.connect(lambda: self._step(-1))
        self._forth.clicked.connect(lambda: self._step(1))

    def _request(self, action: MessageAction) -> None:
        if self._view is not None:
            self.action_requested.emit(self._view.id, action)

    def _step(self, by: int) -> None:
        if self._view is not None:
            self.branch_requested.emit(self._view.id, by)
