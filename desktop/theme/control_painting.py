"""How the controls of `ControlStyle` are painted, each from its style option: state, place and palette."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import QStyle, QStyleOption

RADIUS_PX = 6.0
BOX_RADIUS_PX = 4.0
OUTLINE_OPACITY = 0.6
FOCUS_WIDTH_PX = 2.0
CHEVRON_WIDTH_PX = 1.5
MARK_WIDTH_PX = 1.8

Role = QPalette.ColorRole
State = QStyle.StateFlag


def has_state(option: QStyleOption, state: QStyle.StateFlag) -> bool:
    """Return whether the control is in `state`."""
    return bool(option.state & state)


def paint_button(painter: QPainter, option: QStyleOption, *, is_default: bool) -> None:
    """Paint the face; that of the default button is filled with the accent."""
    enabled = has_state(option, State.State_Enabled)
    ground = _color(option, Role.Accent if is_default and enabled else Role.Button)
    if has_state(option, State.State_Sunken) or has_state(option, State.State_On):
        ground = _towards(ground, _color(option, Role.ButtonText), 0.16)
    elif has_state(option, State.State_MouseOver) and enabled:
        ground = _towards(ground, _color(option, Role.ButtonText), 0.07)
    _paint_frame(painter, option, ground)


def paint_field(painter: QPainter, option: QStyleOption) -> None:
    """Paint the ground of a field, or of a list or a text in a frame."""
    _paint_frame(painter, option, _color(option, Role.Base))


def paint_tip(painter: QPainter, option: QStyleOption) -> None:
    """Paint the ground of a tooltip, which is a window of its own and so has square corners."""
    painter.save()
    painter.setPen(QPen(_outline(option), 1))
    painter.setBrush(_color(option, Role.ToolTipBase))
    painter.drawRect(QRectF(option.rect).adjusted(0.5, 0.5, -0.5, -0.5))
    painter.restore()


def paint_box(painter: QPainter, option: QStyleOption) -> None:
    """Paint a check box."""
    area = QRectF(option.rect).adjusted(0.5, 0.5, -0.5, -0.5)
    painter.save()
    _prepare_mark(painter, option)
    painter.drawRoundedRect(area, BOX_RADIUS_PX, BOX_RADIUS_PX)
    if has_state(option, State.State_On):
        mark = ((0.24, 0.52), (0.43, 0.71), (0.77, 0.31))
        points = [QPointF(area.left() + x * area.width(), area.top() + y * area.height()) for x, y in mark]
        painter.setPen(_round_pen(_color(option, Role.HighlightedText), MARK_WIDTH_PX))
        painter.drawPolyline(QPolygonF(points))
    painter.restore()


def paint_radio(painter: QPainter, option: QStyleOption) -> None:
    """Paint a radio button."""
    area = QRectF(option.rect).adjusted(0.5, 0.5, -0.5, -0.5)
    painter.save()
    _prepare_mark(painter, option)
    painter.drawEllipse(area)
    if has_state(option, State.State_On):
        inset = area.width() * 0.3
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_color(option, Role.HighlightedText))
        painter.drawEllipse(area.adjusted(inset, inset, -inset, -inset))
    painter.restore()


def paint_tab(painter: QPainter, option: QStyleOption) -> None:
    """Paint the ground of a tab: none, but for the chosen one and the one under the pointer."""
    if has_state(option, State.State_Selected):
        _paint_frame(painter, option, _color(option, Role.Base))
    elif has_state(option, State.State_MouseOver):
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_towards(_color(option, Role.Window), _color(option, Role.WindowText), 0.07))
        painter.drawRoundedRect(QRectF(option.rect).adjusted(1, 1, -1, -1), RADIUS_PX, RADIUS_PX)
        painter.restore()


def paint_chevron(painter: QPainter, option: QStyleOption, area: QRect, *, points_up: bool) -> None:
    """Paint the sign for "more" or "less", or for "there is a list"."""
    middle = QRectF(area).center()
    side = min(8.0, area.width() * 0.5, area.height() * 0.9)
    rise = side / 4 if points_up else -side / 4
    points = [QPointF(middle.x() + x * side / 2, middle.y() + y * rise) for x, y in ((-1, 1), (0, -1), (1, 1))]
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(_round_pen(_color(option, Role.ButtonText), CHEVRON_WIDTH_PX))
    painter.drawPolyline(QPolygonF(points))
    painter.restore()


def _paint_frame(painter: QPainter, option: QStyleOption, ground: QColor) -> None:
    width = FOCUS_WIDTH_PX if _has_focus(option) else 1.0
    area = QRectF(option.rect).adjusted(width / 2, width / 2, -width / 2, -width / 2)
    is_accent = ground == _color(option, Role.Accent)
    focus = _color(option, Role.WindowText if is_accent else Role.Accent)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(focus if _has_focus(option) else _outline(option), width))
    painter.setBrush(ground)
    painter.drawRoundedRect(area, RADIUS_PX, RADIUS_PX)
    painter.restore()


def _prepare_mark(painter: QPainter, option: QStyleOption) -> None:
    """Set pen and brush for a box: filled with the accent where it is on."""
    accent = _color(option, Role.Accent) if has_state(option, State.State_Enabled) else _outline(option)
    is_on = has_state(option, State.State_On)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(accent if is_on else _outline(option), 1))
    painter.setBrush(accent if is_on else _color(option, Role.Base))


def _has_focus(option: QStyleOption) -> bool:
    return has_state(option, State.State_HasFocus) and has_state(option, State.State_Enabled)


def _color(option: QStyleOption, role: QPalette.ColorRole) -> QColor:
    return option.palette.color(role)


def _outline(option: QStyleOption) -> QColor:
    color = _color(option, Role.PlaceholderText)
    color.setAlphaF(OUTLINE_OPACITY)
    return color


def _round_pen(color: QColor, width: float) -> QPen:
    return QPen(color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)


def _towards(color: QColor, other: QColor, share: float) -> QColor:
    """Return `color` mixed with a `share` of `other`."""
    return QColor(
        round(color.red() + (other.red() - color.red()) * share),
        round(color.green() + (other.green() - color.green()) * share),
        round(color.blue() + (other.blue() - color.blue()) * share),
    )
