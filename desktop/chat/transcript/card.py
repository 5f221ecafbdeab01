"""A rounded card that spans rows: each row paints its part."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from desktop.chat.transcript.look import Look

CARD_RADIUS = 9.0


def paint_card_part(
    painter: QPainter, look: Look, part: QRectF, ground: str, *, is_top: bool = False, is_bottom: bool = False
) -> None:
    """Paint a part of a rounded card on a `ground` colour: its top, its bottom, or what lies between."""
    card = part.adjusted(0.5, 0.5 if is_top else -2 * CARD_RADIUS, -0.5, -0.5 if is_bottom else 2 * CARD_RADIUS)
    painter.save()
    painter.setClipRect(part, Qt.ClipOperation.IntersectClip)
    painter.setPen(QPen(QColor(look.colors.border), 1))
    painter.setBrush(QColor(ground))
    painter.drawRoundedRect(card, CARD_RADIUS, CARD_RADIUS)
    painter.restore()
