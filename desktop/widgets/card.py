"""A rounded card with a border: the ground of a group of figures."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.theme.theme import Theme

RADIUS_PX = 10.0
PADDING_PX = 12
SPACING_PX = 6


class Card(QWidget):
    """Stacks what is added to `body` from top to bottom."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(PADDING_PX, PADDING_PX, PADDING_PX, PADDING_PX)
        self.body.setSpacing(SPACING_PX)

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        self._theme = theme
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint ground and border."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._theme.colors.border), 1))
        painter.setBrush(QColor(self._theme.colors.card))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS_PX, RADIUS_PX)
        painter.end()
