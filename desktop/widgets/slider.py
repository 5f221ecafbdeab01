"""A slider in the flat look of the other controls: a thin groove, filled up to a round handle."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSlider, QWidget

from desktop.theme.theme import Theme

GROOVE_PX = 4.0
HANDLE_PX = 16.0
FOCUS_PX = 2.0


class Slider(QSlider):
    """From the least value, where text begins, to the largest."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        self._theme = theme
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for the handle and the focus around it."""
        return QSize(160, round(HANDLE_PX + 2 * FOCUS_PX + 2))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint groove, filled part and handle."""
        colors = self._theme.colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        inset = HANDLE_PX / 2 + FOCUS_PX
        groove = QRectF(inset, (self.height() - GROOVE_PX) / 2, self.width() - 2 * inset, GROOVE_PX)
        painter.setBrush(QColor(colors.border))
        painter.drawRoundedRect(groove, GROOVE_PX / 2, GROOVE_PX / 2)
        is_mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        share = (self.value() - self.minimum()) / max(1, self.maximum() - self.minimum())
        middle = groove.right() - share * groove.width() if is_mirrored else groove.left() + share * groove.width()
        filled = QRectF(groove)
        filled.setLeft(middle if is_mirrored else groove.left())
        filled.setRight(groove.right() if is_mirrored else middle)
        painter.setBrush(QColor(colors.accent if self.isEnabled() else colors.faint))
        painter.drawRoundedRect(filled, GROOVE_PX / 2, GROOVE_PX / 2)
        self._paint_handle(painter, middle)
        painter.end()

    def _paint_handle(self, painter: QPainter, middle: float) -> None:
        colors = self._theme.colors
        handle = QRectF(middle - HANDLE_PX / 2, (self.height() - HANDLE_PX) / 2, HANDLE_PX, HANDLE_PX)
        is_chosen = self.hasFocus() or self.isSliderDown()
        painter.setPen(QPen(QColor(colors.accent), FOCUS_PX))
        painter.setBrush(QColor(colors.accent if is_chosen else colors.card))
        painter.drawEllipse(handle.adjusted(1, 1, -1, -1))
