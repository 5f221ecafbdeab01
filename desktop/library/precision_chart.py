"""The weights of one model in each precision, drawn one below the other: why a large model needs few bits a weight."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.theme.theme import Theme
from desktop.theme.tints import tinted
from runtime.library.planner import Precision
from runtime.values.wording import bytes_text

ROW_LINES = 1.75
BAR_LINES = 0.75
GAP_PX = 10.0
RADIUS_PX = 3.0
QUIET_SHARE = 0.35


class PrecisionChart(QWidget):
    """A bar for each precision, the chosen one in the accent, and a line where this machine's memory ends."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._parameters = 0.0
        self._chosen = Precision.INT4
        self._available_bytes: int | None = None
        self.setObjectName("precisionChart")
        self.setAccessibleName(self.tr("Weights by precision"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._theme = theme
        self.setFont(theme.fonts.text(0.95))
        self.updateGeometry()
        self.update()

    def show_weights(self, parameters: float, chosen: Precision, available_bytes: int | None) -> None:
        """Show what so many parameters take; `available_bytes` is what this machine can give, None if not known."""
        self._parameters, self._chosen, self._available_bytes = parameters, chosen, available_bytes
        self.setAccessibleDescription(", ".join(f"{one.title} {self._text(one)}" for one in Precision))
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for every precision."""
        return QSize(260, round(self.fontMetrics().height() * ROW_LINES * len(Precision)))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint names, bars, sizes and the line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = float(self.fontMetrics().height())
        names = max(self.fontMetrics().horizontalAdvance(one.title) for one in Precision) + GAP_PX
        sizes = self.fontMetrics().horizontalAdvance("0,000 GB") + GAP_PX
        plot = QRectF(names, 0, self.width() - names - sizes, self.height())
        largest = self._bytes(Precision.FP32) or 1.0
        for number, one in enumerate(Precision):
            row = QRectF(0, number * line * ROW_LINES, self.width(), line * ROW_LINES)
            bar = QRectF(plot.left(), row.center().y() - line * BAR_LINES / 2, 0, line * BAR_LINES)
            bar.setWidth(max(2.0, plot.width() * self._bytes(one) / largest))
            self._paint_row(painter, one, row, bar)
        if self._available_bytes is not None and self._available_bytes < largest:
            self._paint_limit(painter, plot.left() + plot.width() * self._available_bytes / largest)
        painter.end()

    def _paint_row(self, painter: QPainter, one: Precision, row: QRectF, bar: QRectF) -> None:
        colors, is_chosen = self._theme.colors, one is self._chosen
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors.accent) if is_chosen else tinted(colors.card, colors.accent, QUIET_SHARE))
        painter.drawRoundedRect(bar, RADIUS_PX, RADIUS_PX)
        weight = QFont.Weight.DemiBold if is_chosen else QFont.Weight.Normal
        painter.setFont(self._theme.fonts.text(0.95, weight=weight))
        painter.setPen(QColor(colors.text if is_chosen else colors.muted))
        painter.drawText(row, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, one.title)
        painter.drawText(row, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, self._text(one))

    def _paint_limit(self, painter: QPainter, x: float) -> None:
        painter.setPen(QPen(QColor(self._theme.colors.text), 1.5, Qt.PenStyle.DashLine))
        painter.drawLine(round(x), 0, round(x), self.height())

    def _bytes(self, one: Precision) -> float:
        return self._parameters * one.value / 8

    def _text(self, one: Precision) -> str:
        return bytes_text(round(self._bytes(one)))
