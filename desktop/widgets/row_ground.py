"""The rounded ground under a row of a list that is chosen or under the pointer."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QStyle

from desktop.theme.theme import Theme


def paint_row_ground(
    painter: QPainter, theme: Theme, state: QStyle.StateFlag, area: QRectF, *, radius_px: float
) -> None:
    """Paint the ground that a row in `state` has, outlined where it has the focus; a plain row has none."""
    if state & QStyle.StateFlag.State_Selected:
        ground = theme.colors.selected
    elif state & QStyle.StateFlag.State_MouseOver:
        ground = theme.colors.hover
    else:
        return
    painter.setPen(QColor(theme.colors.accent) if state & QStyle.StateFlag.State_HasFocus else Qt.PenStyle.NoPen)
    painter.setBrush(QColor(ground))
    painter.drawRoundedRect(area, radius_px, radius_px)
