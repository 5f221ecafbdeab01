"""The Retry buttons that stand in the notices of failed and interrupted replies."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtWidgets import QPushButton, QWidget

from desktop.theme.theme import Theme
from runtime.values.chat import MessageId


class RetryButtons(QWidget):
    """A button for each notice in view. The widget itself is never seen.

    Signals:
        clicked: id of the message.
    """

    clicked = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("retryButtons")
        self.hide()
        self._area = parent
        self._theme = theme
        self._buttons: dict[MessageId, QPushButton] = {}
        self._sample = self._new_button(self)
        self._sample.setObjectName("retryButtonSample")

    def apply_theme(self, theme: Theme) -> None:
        """Take another font."""
        self._theme = theme
        for button in (self._sample, *self._buttons.values()):
            button.setFont(theme.fonts.text())

    def width_needed(self) -> float:
        """Return the width of a button, px."""
        return self._sample.sizeHint().width()

    def place(self, boxes: dict[MessageId, QRectF]) -> None:
        """Have a button in each box, in the parent's coordinates, and none elsewhere."""
        for message_id in self._buttons.keys() - boxes.keys():
            gone = self._buttons.pop(message_id)
            if gone.hasFocus():  # Else it would go to whatever comes next in the window.
                self._area.setFocus(Qt.FocusReason.OtherFocusReason)
            gone.hide()
            gone.deleteLater()
        for message_id, box in boxes.items():
            if message_id not in self._buttons:
                button = self._new_button(self._area)
                button.clicked.connect(lambda _checked=False, message_id=message_id: self.clicked.emit(message_id))
                self._buttons[message_id] = button
            self._buttons[message_id].setGeometry(box.toRect())
            self._buttons[message_id].show()

    def _new_button(self, parent: QWidget) -> QPushButton:
        button = QPushButton(self.tr("Retry"), parent)
        button.setObjectName("retryButton")
        button.setAccessibleName(self.tr("Retry"))
        button.setFont(self._theme.fonts.text())
        return button
