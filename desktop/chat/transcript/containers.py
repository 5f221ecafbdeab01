"""The quotes and list items around a block: how far they move it in, and what is painted beside it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from desktop.chat.markdown.block import Block, Container, ListItem, Quote
from desktop.chat.transcript.look import Look

ITEM_INDENT = 1.45
QUOTE_INDENT = 0.95
QUOTE_BAR_WIDTH = 3.0
VCENTER = Qt.AlignmentFlag.AlignVCenter
MAX_SHOWN_DEPTH = 12
"""Containers that move a block in; deeper ones would leave no room for the text."""


def indent_of(containers: tuple[Container, ...], look: Look) -> float:
    """Return how far `containers` move a block in, px."""
    return sum(_container_indent(container, look) for container in containers[:MAX_SHOWN_DEPTH])


def marker_text(block: Block) -> str:
    """Return what stands before a list item when it is copied as text; nothing if `block` begins no item."""
    items = [c for c in block.containers if isinstance(c, ListItem)]
    begins_item = any(isinstance(c, ListItem) for c in block.containers[len(block.containers) - block.begins :])
    indent = "  " * (len(items) - 1)
    if not items or not begins_item:
        return ""
    if block.checked is not None:
        return f"{indent}{'☑' if block.checked else '☐'} "
    item = items[-1]
    return f"{indent}{'•' if item.number is None else f'{item.number}.'} "


def paint_containers(
    painter: QPainter, block: Block, look: Look, *, box: QRectF, first_line: QRectF | None, mirrored: bool = False
) -> None:
    """Paint the quote bars and the list markers beside a block.

    Args:
        painter: its origin is the row's top left corner.
        block: whose containers they are.
        look: how they look.
        box: the row, its indentation and the gap above it included.
        first_line: the block's first line of text; None if it is not in this row.
        mirrored: whether the text runs from right to left, and so does the indentation.
    """
    painter.setFont(look.text_font)
    x, depth = 0.0, 0
    begins_at = len(block.containers) - block.begins
    for index, container in enumerate(block.containers[:MAX_SHOWN_DEPTH]):
        width = _container_indent(container, look)
        left = box.right() - x - width if mirrored else box.left() + x
        x += width
        match container:
            case Quote():
                bar_x = left + width - QUOTE_BAR_WIDTH if mirrored else left
                top = box.top() if index < begins_at or first_line is None else 0.0
                bar = QRectF(bar_x, top, QUOTE_BAR_WIDTH, box.bottom() - top)
                _paint_bar(painter, bar, QColor(look.colors.border))
            case ListItem():
                if index >= begins_at and first_line is not None:
                    marker = QRectF(left, first_line.top(), width, first_line.height())
                    checked = block.checked if index == len(block.containers) - 1 else None
                    _paint_marker(painter, look, marker, (container.number, depth, checked), mirrored=mirrored)
                depth += 1


def _paint_bar(painter: QPainter, bar: QRectF, color: QColor) -> None:
    """Paint a row's part of a quote bar, without smooth edges: between two rows they would show as a seam."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
    painter.fillRect(bar, color)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)


def _paint_marker(
    painter: QPainter, look: Look, box: QRectF, marker: tuple[int | None, int, bool | None], *, mirrored: bool
) -> None:
    number, depth, checked = marker
    if checked is not None:
        _paint_checkbox(painter, look, box, checked=checked)
    elif number is not None:
        _paint_number(painter, look, box, number, mirrored=mirrored)
    else:
        _paint_bullet(painter, look, box, depth)


def _container_indent(container: Container, look: Look) -> float:
    return look.distance(ITEM_INDENT if isinstance(container, ListItem) else QUOTE_INDENT)


def _paint_number(painter: QPainter, look: Look, box: QRectF, number: int, *, mirrored: bool) -> None:
    gap, room = look.distance(0.4), look.distance(3)
    painter.setPen(QColor(look.colors.muted))
    if mirrored:
        painter.drawText(box.adjusted(gap, 0, room, 0), VCENTER | Qt.AlignmentFlag.AlignLeft, f"{number}.")
    else:
        painter.drawText(box.adjusted(-room, 0, -gap, 0), VCENTER | Qt.AlignmentFlag.AlignRight, f"{number}.")


def _paint_bullet(painter: QPainter, look: Look, box: QRectF, depth: int) -> None:
    radius = look.unit * 0.15
    center = QPointF(box.center().x(), box.center().y())
    color = QColor(look.colors.muted)
    painter.setPen(QPen(color, 1.2) if depth % 3 == 1 else Qt.PenStyle.NoPen)
    painter.setBrush(Qt.BrushStyle.NoBrush if depth % 3 == 1 else color)
    if depth % 3 == 2:
        painter.drawRect(QRectF(center.x() - radius, center.y() - radius, 2 * radius, 2 * radius))
    else:
        painter.drawEllipse(center, radius, radius)


def _paint_checkbox(painter: QPainter, look: Look, box: QRectF, *, checked: bool) -> None:
    side = round(look.unit * 0.75)
    square = QRectF(round(box.center().x() - side / 2) + 0.5, round(box.center().y() - side / 2) + 0.5, side, side)
    painter.setPen(QPen(QColor(look.colors.accent if checked else look.colors.faint), 1.2))
    painter.setBrush(QColor(look.colors.accent) if checked else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(square, 3, 3)
    if checked:
        painter.setPen(QPen(QColor(look.colors.on_accent), 1.6))
        knee = QPointF(square.left() + side * 0.42, square.top() + side * 0.72)
        start = QPointF(square.left() + side * 0.2, square.top() + side * 0.5)
        painter.drawPolyline([start, knee, QPointF(square.right() - side * 0.18, square.top() + side * 0.28)])
