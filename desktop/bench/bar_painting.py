"""Bars with their intervals: groups one below the other, the models of a group side by side on one scale."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from desktop.bench.chart import Bar, BarChart, BarGroup
from desktop.bench.series_look import series_color
from desktop.theme.theme import Theme
from desktop.widgets.writing_direction import draw_line

BAR_LINES = 1.35
BAR_SHARE = 0.62
GROUP_GAP_LINES = 0.7
TITLE_LINES = 1.4
GAP_PX = 10.0
RADIUS_PX = 3.0
WHISKER_PX = 1.4
LABEL_SHARE = 0.3
Hit = tuple[QRectF, str]


def bars_height(theme: Theme, chart: BarChart) -> float:
    """Return how high the chart is."""
    line = QFontMetricsF(theme.fonts.text()).height()
    return sum(_group_height(group, line) for group in chart.groups)


def paint_bars(painter: QPainter, theme: Theme, chart: BarChart, area: QRectF) -> list[Hit]:
    """Paint the chart into `area`, as high as `bars_height` says; return where each bar is and what is behind."""
    return _Bars(painter, theme, chart, area).paint()


def _group_height(group: BarGroup, line: float) -> float:
    return line * (TITLE_LINES + BAR_LINES * len(group.bars) + GROUP_GAP_LINES)


class _Bars:
    """Painting one chart of bars."""

    def __init__(self, painter: QPainter, theme: Theme, chart: BarChart, area: QRectF) -> None:
        self._painter = painter
        self._theme = theme
        self._chart = chart
        self._area = area
        self._font = theme.fonts.text(0.92)
        metrics = QFontMetricsF(self._font)
        self._metrics = metrics
        self._line = QFontMetricsF(theme.fonts.text()).height()
        bars = [bar for group in chart.groups for bar in group.bars]
        widest = max((metrics.horizontalAdvance(bar.label) for bar in bars), default=0.0)
        self._label_width = min(widest + GAP_PX, area.width() * LABEL_SHARE)
        self._value_width = max((metrics.horizontalAdvance(bar.text) for bar in bars), default=0.0) + GAP_PX

    def paint(self) -> list[Hit]:
        """Paint all groups."""
        top, hits = self._area.top(), []
        for group in self._chart.groups:
            title = QRectF(self._area.left(), top, self._area.width(), self._line * TITLE_LINES)
            self._painter.setFont(self._theme.fonts.text(0.92, weight=QFont.Weight.DemiBold))
            self._painter.setPen(QColor(self._theme.colors.text))
            draw_line(self._painter, title, group.title, Qt.AlignmentFlag.AlignLeft)
            most = max(max(bar.value, bar.high or 0.0) for bar in group.bars) or 1.0
            for number, bar in enumerate(group.bars):
                row = QRectF(title.left(), title.bottom() + number * self._line * BAR_LINES, title.width(), 0)
                row.setHeight(self._line * BAR_LINES)
                self._paint_bar(bar, row, most)
                hits.append((row, bar.detail))
            top += _group_height(group, self._line)
        return hits

    def _paint_bar(self, bar: Bar, row: QRectF, most: float) -> None:
        painter, colors = self._painter, self._theme.colors
        plot = row.adjusted(self._label_width, 0, -self._value_width, 0)
        height = row.height() * BAR_SHARE
        painter.setFont(self._font)
        painter.setPen(QColor(colors.muted))
        label = self._metrics.elidedText(bar.label, Qt.TextElideMode.ElideMiddle, self._label_width - GAP_PX)
        draw_line(painter, QRectF(row.left(), row.top(), self._label_width, row.height()), label, _LEFT)
        painter.setPen(QColor(colors.text))
        draw_line(painter, QRectF(plot.right(), row.top(), self._value_width, row.height()), bar.text, _RIGHT)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(series_color(colors, bar.series))
        shape = QRectF(plot.left(), row.center().y() - height / 2, max(2.0, plot.width() * bar.value / most), height)
        painter.drawRoundedRect(shape, RADIUS_PX, RADIUS_PX)
        if bar.low is not None and bar.high is not None:
            self._paint_whisker(plot, row.center().y(), max(0.0, bar.low) / most, bar.high / most, height)

    def _paint_whisker(self, plot: QRectF, y: float, low: float, high: float, height: float) -> None:
        left, right = plot.left() + plot.width() * low, plot.left() + plot.width() * high
        self._painter.setPen(QPen(QColor(self._theme.colors.text), WHISKER_PX))
        self._painter.drawLine(QPointF(left, y), QPointF(right, y))
        for x in (left, right):
            self._painter.drawLine(QPointF(x, y - height * 0.3), QPointF(x, y + height * 0.3))


_LEFT, _RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
