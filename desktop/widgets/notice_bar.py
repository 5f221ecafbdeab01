"""A bar under the toolbar that says something and may offer one thing to do: an error, or a chance to undo."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from desktop.theme.theme import Theme
from desktop.widgets.icon_button import IconButton

MARGIN_PX = 10
SHOWN_FOR_MS = 8000


class NoticeBar(QWidget):
    """Shows one notice at a time; a new one takes the place of the old."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._is_error = False
        self._on_action: Callable[[], None] | None = None
        self._on_lapsed: Callable[[], None] | None = None
        self.setObjectName("noticeBar")
        self._text = QLabel(self)
        self._text.setObjectName("noticeText")
        self._text.setAccessibleName(self.tr("Notice"))
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._action = QPushButton(self)
        self._action.setObjectName("noticeActionButton")
        self._action.setAccessibleName(self.tr("What can be done"))
        self._close = IconButton(theme, "x", "noticeCloseButton", self.tr("Dismiss"), parent=self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SHOWN_FOR_MS)
        self._timer.timeout.connect(self.dismiss)
        self._action.clicked.connect(self._act)
        self._close.clicked.connect(self.dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(MARGIN_PX + 4, MARGIN_PX // 2, MARGIN_PX, MARGIN_PX // 2)
        row.addWidget(self._text, 1)
        row.addWidget(self._action)
        row.addWidget(self._close)
        self.apply_theme(theme)
        self.hide()

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._theme = theme
        self._text.setFont(theme.fonts.text())
        self._action.setFont(theme.fonts.text())
        self._close.apply_theme(theme)
        self._tint()

    def show_error(self, text: str) -> None:
        """Say what went wrong and what to do; stays until it is dismissed."""
        self._show(text, is_error=True)

    def offer(
        self, text: str, action: str, on_action: Callable[[], None], on_lapsed: Callable[[], None] | None = None
    ) -> None:
        """Say `text` and offer `action` for a few seconds; `on_lapsed` is called when it can be had no more."""
        self._offer(text, action, on_action, is_error=False)
        self._on_lapsed = on_lapsed
        self._timer.start()

    def offer_lasting(self, text: str, action: str, on_action: Callable[[], None], *, is_error: bool = False) -> None:
        """Say `text` and offer `action` until it is taken or dismissed."""
        self._offer(text, action, on_action, is_error=is_error)

    def take_back(self, text: str) -> None:
        """Take the notice away if it is still this one: what it said no longer holds."""
        if self._text.text() == text:
            self.dismiss()

    def dismiss(self) -> None:
        """Take the notice away."""
        self._timer.stop()
        self.hide()
        self._lapse()

    def _offer(self, text: str, action: str, on_action: Callable[[], None], *, is_error: bool) -> None:
        self._show(text, is_error=is_error)
        self._on_action = on_action
        self._action.setText(action)
        self._action.setAccessibleName(action)
        self._action.show()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the ground and the line below."""
        colors = self._theme.colors
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(colors.card))
        painter.fillRect(0, 0, 4, self.height(), QColor(colors.bad if self._is_error else colors.accent))
        painter.fillRect(0, self.height() - 1, self.width(), 1, QColor(colors.border))
        painter.end()

    def _show(self, text: str, *, is_error: bool) -> None:
        self._timer.stop()
        self._lapse()
        self._is_error = is_error
        self._action.hide()
        self._text.setText(text)
        self._tint()
        self.show()
        self.update()

    def _lapse(self) -> None:
        """End the offer that is made."""
        on_lapsed, self._on_action, self._on_lapsed = self._on_lapsed, None, None
        if on_lapsed is not None:
            on_lapsed()

    def _tint(self) -> None:
        palette = self._text.palette()
        color = self._theme.colors.bad if self._is_error else self._theme.colors.text
        palette.setColor(QPalette.ColorRole.WindowText, QColor(color))
        self._text.setPalette(palette)

    def _act(self) -> None:
        on_action = self._on_action
        self._on_lapsed = None
        self.dismiss()
        if on_action is not None:
            on_action()
