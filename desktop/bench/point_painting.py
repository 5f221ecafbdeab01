"""Points on two axes: grid, limits, lines, intervals and the points themselves."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from desktop.bench.chart import Axis, Mark, PointChart
from desktop.bench.scale import Scale, scale_for
from desktop.bench.series_look import paint_mark, series_color
from desktop.theme.theme import Theme
from desktop.theme.tints import tinted
from desktop.widgets.writing_direction import draw_line
from runtime.values.wording import count_text, number_text

RADIUS_PX = 5.0
REACH_PX = 9.0
LINE_PX = 1.8
WHISKER_PX = 1.2
GAP_PX = 6.0
TICK_LINES = 3.0
"""At least so many lines of text between two numbers on the vertical axis."""
GRID_SHARE = 0.55
Hit = tuple[QRectF, str]
_LEFT, _RIGHT, _CENTER = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignHCenter


def paint_points(painter: QPainter, theme: Theme, chart: PointChart, area: QRectF) -> list[Hit]:
    """Paint the chart into `area`; return where each point is and what is behind it."""
    return _Points(painter, theme, chart, area).paint()


class _Points:
    """Painting one chart of points."""

    def __init__(self, painter: QPainter, theme: Theme, chart: PointChart, area: QRectF) -> None:
        self._painter = painter
        self._theme = theme
        self._chart = chart
        self._font = theme.fonts.text(0.85)
        self._metrics = QFontMetricsF(self._font)
        line = self._metrics.height()
        self._line = line
        marks = [mark for series in chart.series for mark in series.marks]
        ends = [point for guide in chart.guides for point in guide.points]
        self._x = _scale(chart.x, [mark.x for mark in marks] + [x for x, _ in ends])
        heights = [value for mark in marks for value in (mark.y, mark.low, mark.high) if value is not None]
        self._y = _scale(chart.y, heights + [y for _, y in ends])
        self._y_ticks = self._y.ticks(max(2, int((area.height() - 3 * line) / (line * TICK_LINES))))
        widest = max((self._metrics.horizontalAdvance(_tick_text(tick, self._y)) for tick in self._y_ticks), default=0)
        self._taken: list[QRectF] = []
        self._area = area
        self._plot = area.adjusted(widest + 2 * GAP_PX, line * 1.6, -line, -line * 2.9)

    def paint(self) -> list[Hit]:
        """Paint everything, what matters most last."""
        self._painter.setFont(self._font)
        self._paint_axes()
        self._painter.save()
        self._painter.setClipRect(self._plot.adjusted(-RADIUS_PX, -RADIUS_PX, RADIUS_PX, RADIUS_PX))
        self._paint_guides()
        for index, series in enumerate(self._chart.series):
            points = [self._at(mark.x, mark.y) for mark in series.marks]
            if series.joined and len(points) > 1:
                self._painter.setPen(QPen(series_color(self._theme.colors, index), LINE_PX))
                self._painter.drawPolyline(QPolygonF(points))
        self._painter.restore()
        marks = [mark for series in self._chart.series for mark in series.marks]
        self._taken += [_around(self._at(mark.x, mark.y), RADIUS_PX) for mark in marks]
        return [hit for index in range(len(self._chart.series)) for hit in self._paint_series(index)]

    def _at(self, x: float, y: float) -> QPointF:
        plot = self._plot
        return QPointF(plot.left() + plot.width() * self._x.place(x), plot.bottom() - plot.height() * self._y.place(y))

    def _paint_axes(self) -> None:
        painter, colors, plot, line = self._painter, self._theme.colors, self._plot, self._line
        grid = tinted(colors.card, colors.border, GRID_SHARE)
        for tick in self._y_ticks:
            y = self._at(self._x.low, tick).y()
            painter.setPen(QPen(grid, 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(QColor(colors.muted))
            place = QRectF(self._area.left(), y - line / 2, plot.left() - self._area.left() - GAP_PX, line)
            draw_line(painter, place, _tick_text(tick, self._y), _RIGHT)
        for tick in self._x.ticks(max(2, int(plot.width() / (line * 5)))):
            x = self._at(tick, self._y.low).x()
            painter.setPen(QPen(grid, 1))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
            painter.setPen(QColor(colors.muted))
            draw_line(
                painter, QRectF(x - 50, plot.bottom() + GAP_PX / 2, 100, line), _tick_text(tick, self._x), _CENTER
            )
        painter.setPen(QPen(QColor(colors.border), 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        painter.setPen(QColor(colors.text))
        below = QRectF(plot.left(), plot.bottom() + line * 1.5, plot.width(), line)
        draw_line(painter, below, self._fitted(self._chart.x.title, below.width()), _CENTER)
        above = QRectF(self._area.left(), self._area.top(), self._area.width(), line)
        draw_line(painter, above, self._fitted(self._chart.y.title, above.width()), _LEFT)

    def _paint_guides(self) -> None:
        painter, colors = self._painter, self._theme.colors
        for guide in self._chart.guides:
            points = [self._at(x, y) for x, y in guide.points]
            painter.setPen(QPen(QColor(colors.faint), 1.4, Qt.PenStyle.DashLine))
            painter.drawPolyline(QPolygonF(points))
            painter.setPen(QColor(colors.muted))
            middle = (points[0] + points[-1]) / 2
            width = self._metrics.horizontalAdvance(guide.name) + 2
            is_flat = abs(points[0].y() - points[-1].y()) < 1
            # A label over a slope stands to its left, where nothing can be: no run is above the roof.
            left = middle.x() - width / 2 if is_flat else middle.x() - width - GAP_PX
            left = max(self._plot.left() + GAP_PX, left)
            place = QRectF(left, middle.y() - self._line - (2 if is_flat else self._line * 0.4), width, self._line)
            draw_line(painter, place, guide.name, _LEFT)
            self._taken.append(place)

    def _paint_series(self, index: int) -> list[Hit]:
        hits = []
        for mark in self._chart.series[index].marks:
            center = self._at(mark.x, mark.y)
            self._paint_interval(mark, center.x(), index)
            paint_mark(self._painter, self._theme.colors, index, center, RADIUS_PX)
            if mark.label:
                self._paint_label(mark.label, center)
            hits.append((_around(center, REACH_PX), mark.detail))
        return hits

    def _paint_interval(self, mark: Mark, x: float, index: int) -> None:
        if mark.low is None or mark.high is None:
            return
        low, high = (self._at(mark.x, value).y() for value in (mark.low, mark.high))
        self._painter.setPen(QPen(series_color(self._theme.colors, index), WHISKER_PX))
        self._painter.drawLine(QPointF(x, low), QPointF(x, high))
        for y in (low, high):
            self._painter.drawLine(QPointF(x - 4, y), QPointF(x + 4, y))

    def _paint_label(self, text: str, center: QPointF) -> None:
        """Write beside a point, where there is room; nowhere if there is none: the pointer finds it all the same."""
        shown = self._fitted(text, self._plot.width() * 0.45)
        width, line = self._metrics.horizontalAdvance(shown) + 2, self._line
        corners = (
            (center.x() + REACH_PX, center.y() - line / 2),
            (center.x() - REACH_PX - width, center.y() - line / 2),
            (center.x() - width / 2, center.y() - REACH_PX - line),
            (center.x() - width / 2, center.y() + REACH_PX),
        )
        bounds = self._plot.adjusted(0, -line, line, 0)
        for corner in corners:
            place = QRectF(*corner, width, line)
            if bounds.contains(place) and not any(place.intersects(other) for other in self._taken):
                self._taken.append(place)
                self._painter.setPen(QColor(self._theme.colors.text))
                draw_line(self._painter, place, shown, _LEFT)
                return

    def _fitted(self, text: str, width: float) -> str:
        return self._metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, width)


def _around(center: QPointF, reach: float) -> QRectF:
    return QRectF(center.x() - reach, center.y() - reach, 2 * reach, 2 * reach)


def _scale(axis: Axis, values: list[float]) -> Scale:
    return scale_for(values, is_log=axis.is_log, from_zero=axis.from_zero)


def _tick_text(value: float, scale: Scale) -> str:
    if scale.is_log or scale.high >= 100_000:
        return number_text(value, 2).rstrip("0").rstrip(".") if 0 < abs(value) < 1 else count_text(value)
    span = scale.high - scale.low
    return number_text(value, 0 if span >= 4 else 1 if span >= 0.4 else 2 if span >= 0.04 else 4)
