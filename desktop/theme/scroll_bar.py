"""A thin scroll bar without buttons, its handle rounded: where its parts are, and how they are painted."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPalette
from PySide6.QtWidgets import QStyle, QStyleOptionSlider

THICKNESS_PX = 11
LEAST_HANDLE_PX = 28
HANDLE_INSET_PX = 3

Part = QStyle.SubControl
State = QStyle.StateFlag


def scroll_bar_rect(option: QStyleOptionSlider, part: QStyle.SubControl) -> QRect:
    """Return where a part of the bar is: the groove is all of it, and there is nothing at its ends."""
    match part:
        case Part.SC_ScrollBarGroove:
            return option.rect
        case Part.SC_ScrollBarSlider:
            start, length = _handle(option)
            return _stretch(option, start, length)
        case Part.SC_ScrollBarSubPage:
            return _stretch(option, 0, _handle(option)[0])
        case Part.SC_ScrollBarAddPage:
            end = sum(_handle(option))
            return _stretch(option, end, _length(option) - end)
        case _:
            return QRect()


def paint_scroll_bar(painter: QPainter, option: QStyleOptionSlider) -> None:
    """Paint the handle; without anything to scroll there is none."""
    if option.maximum <= option.minimum:
        return
    is_active = option.state & (State.State_MouseOver | State.State_Sunken)
    role = QPalette.ColorRole.PlaceholderText if is_active else QPalette.ColorRole.Mid
    area = QRectF(scroll_bar_rect(option, Part.SC_ScrollBarSlider))
    inset = HANDLE_INSET_PX
    area = area.adjusted(0, inset, 0, -inset) if _is_horizontal(option) else area.adjusted(inset, 0, -inset, 0)
    radius = min(area.width(), area.height()) / 2
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(option.palette.color(role))
    painter.drawRoundedRect(area, radius, radius)
    painter.restore()


def _handle(option: QStyleOptionSlider) -> tuple[int, int]:
    """Return where the handle begins along the bar, and how long it is, in px."""
    length, span = _length(option), option.maximum - option.minimum
    if span <= 0:
        return 0, length
    handle = min(length, max(LEAST_HANDLE_PX, length * option.pageStep // max(1, span + option.pageStep)))
    start = QStyle.sliderPositionFromValue(
        option.minimum, option.maximum, option.sliderPosition, length - handle, option.upsideDown
    )
    return start, handle


def _stretch(option: QStyleOptionSlider, start: int, length: int) -> QRect:
    area = option.rect
    if _is_horizontal(option):
        return QRect(area.left() + start, area.top(), length, area.height())
    return QRect(area.left(), area.top() + start, area.width(), length)


def _length(option: QStyleOptionSlider) -> int:
    return option.rect.width() if _is_horizontal(option) else option.rect.height()


def _is_horizontal(option: QStyleOptionSlider) -> bool:
    return option.orientation is Qt.Orientation.Horizontal
