"""The round button that floats over the transcript's end while the user reads further up."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from desktop.theme.theme import Theme
from desktop.widgets.icon_button import IconButton


class JumpButton(IconButton):
    """An arrow down on a ground of its own, because there is text under it."""

    def __init__(self, theme: Theme, label: str, parent: QWidget) -> None:
        self._colors = theme.colors
        super().__init__(theme, "arrow-down", "jumpToLatestButton", label, parent=parent)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        self._colors = theme.colors
        super().apply_theme(theme)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint a disc, then the button."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._colors.border), 1))
        painter.setBrush(QColor(self._colors.card))
        painter.drawEllipse(QRectF(self.rect()).adjusted(1, 1, -1, -1))
        painter.end()
        super().paintEvent(event)
