"""The plot of results: painted, with what stands behind each figure under the pointer; a reason where it is empty."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QHelpEvent, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from desktop.bench.bar_painting import Hit, bars_height, paint_bars
from desktop.bench.chart import BarChart, Chart, NoChart, PointChart, details_of
from desktop.bench.point_painting import paint_points
from desktop.bench.series_look import paint_mark
from desktop.theme.theme import Theme
from desktop.widgets.writing_direction import draw_line

MARGIN_PX = 14.0
SPOT_PX = 4.5
LEAST_POINTS_LINES = 15
IMAGE_SCALE = 2.0
CAPTION_SIZE = 0.9


class Plot(QWidget):
    """Shows one chart at a time."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._chart: Chart = NoChart("")
        self._hits: list[Hit] = []
        self.setObjectName("benchmarkPlot")
        self.setAccessibleName(self.tr("Plot of the results"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        self._theme = theme
        self._fit()
        self.update()

    @property
    def chart(self) -> Chart:
        """What is shown."""
        return self._chart

    def show_chart(self, chart: Chart) -> None:
        """Show `chart`."""
        if chart == self._chart:
            return
        self._chart = chart
        self.setAccessibleDescription("\n".join(details_of(chart)))
        self._fit()
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for axes."""
        line = QFontMetricsF(self._theme.fonts.text()).height()
        return QSize(round(40 * line), round(LEAST_POINTS_LINES * line))

    def detail_at(self, x: float, y: float) -> str:
        """Return what stands behind the figure at a place; nothing where there is none."""
        return next((detail for area, detail in reversed(self._hits) if area.contains(x, y)), "")

    def image(self) -> QImage:
        """Return the plot as a picture, sharp enough for a document."""
        scaled = (self.size().toSizeF() * IMAGE_SCALE).toSize()
        image = QImage(scaled, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(IMAGE_SCALE)
        image.fill(QColor(self._theme.colors.page))
        painter = QPainter(image)
        self._paint(painter)
        painter.end()
        return image

    def event(self, event: QEvent) -> bool:
        """Say what stands behind the figure under the pointer."""
        if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip:
            text = self.detail_at(event.pos().x(), event.pos().y())
            if text:
                QToolTip.showText(event.globalPos(), text, self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the chart."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._theme.colors.page))
        self._hits = self._paint(painter)
        painter.end()

    def _fit(self) -> None:
        """Be as high as the chart needs."""
        line = QFontMetricsF(self._theme.fonts.text()).height()
        match self._chart:
            case BarChart():
                height = bars_height(self._theme, self._chart) + self._head_height() + 2 * MARGIN_PX
            case PointChart():
                height = LEAST_POINTS_LINES * line
            case NoChart():
                height = 4 * line
        self.setMinimumHeight(round(height))

    def _head_height(self) -> float:
        return QFontMetricsF(self._theme.fonts.text()).height() * 2.9

    def _paint(self, painter: QPainter) -> list[Hit]:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inner = QRectF(self.rect()).adjusted(MARGIN_PX, MARGIN_PX / 2, -MARGIN_PX, -MARGIN_PX)
        match self._chart:
            case NoChart(reason=reason):
                self._paint_reason(painter, reason, inner)
                return []
            case BarChart(caption=caption, series=series) as bars:
                self._paint_head(painter, caption, series, inner)
                return paint_bars(painter, self._theme, bars, inner.adjusted(0, self._head_height(), 0, 0))
            case PointChart(caption=caption, series=several) as points:
                self._paint_head(painter, caption, tuple(one.name for one in several), inner)
                return paint_points(painter, self._theme, points, inner.adjusted(0, self._head_height(), 0, 0))

    def _paint_reason(self, painter: QPainter, reason: str, area: QRectF) -> None:
        painter.setFont(self._theme.fonts.text())
        painter.setPen(QColor(self._theme.colors.muted))
        width = min(area.width(), QFontMetricsF(painter.font()).averageCharWidth() * 70)
        place = QRectF(area.center().x() - width / 2, area.top(), width, area.height())
        painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), reason)

    def _paint_head(self, painter: QPainter, caption: str, series: tuple[str, ...], area: QRectF) -> None:
        """Paint what is shown, and below it which colour and shape is which model."""
        colors = self._theme.colors
        painter.setFont(self._theme.fonts.text(CAPTION_SIZE))
        metrics = QFontMetricsF(painter.font())
        line = metrics.height()
        painter.setPen(QColor(colors.muted))
        shown = metrics.elidedText(caption, Qt.TextElideMode.ElideRight, area.width())
        draw_line(painter, QRectF(area.left(), area.top(), area.width(), line), shown, Qt.AlignmentFlag.AlignLeft)
        left, top = area.left(), area.top() + line * 1.45
        share = area.width() / max(1, len(series))
        for index, name in enumerate(series):
            room = min(metrics.horizontalAdvance(name) + 2, max(40.0, share - 3 * line))
            paint_mark(painter, colors, index, QPointF(left + SPOT_PX, top + line / 2), SPOT_PX)
            painter.setPen(QColor(colors.text))
            text = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, room)
            draw_line(painter, QRectF(left + line, top, room, line), text, Qt.AlignmentFlag.AlignLeft)
            left += line * 1.9 + room
