"""A line of recent values, painted; gaps where a value is undefined."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.theme.theme import Theme

LINE_WIDTH = 1.6
FILL_OPACITY = 0.22


class Sparkline(QWidget):
    """Shows the last values from left to right; the scale begins at 0 and ends at the largest value seen."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._values: tuple[float | None, ...] = ()
        self._ceiling: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return a size in proportion to the text."""
        return QSize(120, round(self.fontMetrics().height() * 2.4))

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        self._theme = theme
        self.update()

    def set_values(self, values: Sequence[float | None], ceiling: float | None = None) -> None:
        """Show `values`, oldest first; `ceiling` draws a dashed line and belongs to the scale."""
        self._values = tuple(values)
        self._ceiling = ceiling
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the line that all stands on, then the runs between gaps, each with a soft ground."""
        known = [value for value in self._values if value is not None]
        painter = QPainter(self)
        painter.fillRect(0, self.height() - 1, self.width(), 1, QColor(self._theme.colors.border))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not known:
            painter.end()
            return
        area = QRectF(self.rect()).adjusted(LINE_WIDTH, LINE_WIDTH, -LINE_WIDTH, -LINE_WIDTH)
        top = max([*known, self._ceiling or 0.0]) or 1.0
        for run in self._runs(area, top):
            self._paint_run(painter, run, area)
        if self._ceiling:
            self._paint_ceiling(painter, area, self._ceiling / top)
        painter.end()

    def _runs(self, area: QRectF, top: float) -> list[list[QPointF]]:
        """Return the points of each stretch without a gap."""
        step = area.width() / max(1, len(self._values) - 1)
        runs: list[list[QPointF]] = [[]]
        for index, value in enumerate(self._values):
            if value is None:
                runs.append([])
            else:
                runs[-1].append(QPointF(area.left() + index * step, area.bottom() - area.height() * value / top))
        return [run for run in runs if run]

    def _paint_run(self, painter: QPainter, points: list[QPointF], area: QRectF) -> None:
        accent = QColor(self._theme.colors.accent)
        line = QPainterPath(points[0])
        for point in points[1:]:
            line.lineTo(point)
        ground = QPainterPath(line)
        ground.lineTo(points[-1].x(), area.bottom())
        ground.lineTo(points[0].x(), area.bottom())
        fade = QLinearGradient(area.topLeft(), area.bottomLeft())
        accent.setAlphaF(FILL_OPACITY)
        fade.setColorAt(0, accent)
        accent.setAlphaF(0)
        fade.setColorAt(1, accent)
        painter.fillPath(ground, fade)
        painter.setPen(QPen(QColor(self._theme.colors.accent), LINE_WIDTH))
        painter.drawPath(line)

    def _paint_ceiling(self, painter: QPainter, area: QRectF, height: float) -> None:
        pen = QPen(QColor(self._theme.colors.faint), 1, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        y = area.bottom() - area.height() * height
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
