"""How models are told apart in plots: a colour and a shape for each, so that colour is never all there is."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from desktop.theme.colors import Colors
from desktop.theme.tints import tinted

SHAPES = 4
RING_PX = 1.5
# Told apart on their ground, and from each other with any kind of colour vision by lightness and shape.
INKS_ON_LIGHT = ("#e07a00", "#0d9488", "#7c3aed")
INKS_ON_DARK = ("#f6a94a", "#2dd4bf", "#b79cff")


def series_color(colors: Colors, index: int) -> QColor:
    """Return the colour of the series at `index`; after a few they come again, paler."""
    inks = (colors.accent, *(INKS_ON_DARK if colors.dark else INKS_ON_LIGHT))
    strength = (1.0, 0.6, 0.35)[min(index // len(inks), 2)]
    return tinted(colors.card, inks[index % len(inks)], strength)


def paint_mark(painter: QPainter, colors: Colors, index: int, center: QPointF, radius: float) -> None:
    """Paint a point of the series at `index`: a circle, a square, a triangle or a diamond."""
    painter.setPen(QPen(QColor(colors.card), RING_PX))
    painter.setBrush(series_color(colors, index))
    x, y = center.x(), center.y()
    match index % SHAPES:
        case 0:
            painter.drawEllipse(center, radius, radius)
        case 1:
            side = radius * 0.9
            painter.drawRect(QRectF(x - side, y - side, 2 * side, 2 * side))
        case 2:
            corners = (
                (x, y - radius * 1.2),
                (x + radius * 1.1, y + radius * 0.8),
                (x - radius * 1.1, y + radius * 0.8),
            )
            painter.drawPolygon(QPolygonF([QPointF(*corner) for corner in corners]))
        case _:
            corners4 = ((x, y - radius * 1.2), (x + radius * 1.2, y), (x, y + radius * 1.2), (x - radius * 1.2, y))
            painter.drawPolygon(QPolygonF([QPointF(*corner) for corner in corners4]))
    painter.setBrush(Qt.BrushStyle.NoBrush)
