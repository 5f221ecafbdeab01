"""Durations one after the other on one time axis, a row each: where the time went."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from desktop.theme.theme import Theme
from desktop.widgets.tool_tip import in_lines
from desktop.widgets.writing_direction import draw_line, mirrored

TEXT_SCALE = 0.95
BAR_HEIGHT = 0.42
LABEL_SHARE = 0.40
GAP_PX = 6.0
MIN_BAR_PX = 2.0


class WaterfallRow(msgspec.Struct, frozen=True):
    """One duration: its label, its length in ms, the length as text, and what it is, for the tooltip."""

    label: str
    duration_ms: float
    text: str
    explanation: str = ""


class Waterfall(QWidget):
    """Rows from top to bottom; each bar begins where the one before ends."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._rows: tuple[WaterfallRow, ...] = ()
        self.setFont(theme.fonts.text(TEXT_SCALE))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return room for every row."""
        return QSize(200, self._row_height() * len(self._rows))

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._theme = theme
        self.setFont(theme.fonts.text(TEXT_SCALE))
        self.updateGeometry()
        self.update()

    def set_rows(self, rows: Sequence[WaterfallRow]) -> None:
        """Show `rows`; none empties the widget."""
        grows = len(rows) != len(self._rows)
        self._rows = tuple(rows)
        self.setAccessibleDescription(", ".join(f"{row.label} {row.text}" for row in rows))
        if grows:
            self.updateGeometry()
        self.update()

    def event(self, event: QEvent) -> bool:
        """Explain the row that the pointer rests on."""
        if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), in_lines(self.explanation_at(event.pos().y())), self)
            return True
        return super().event(event)

    def explanation_at(self, y: int) -> str:
        """Return what the row at `y` px is; nothing below the last one."""
        index = y // self._row_height()
        return self._rows[index].explanation if 0 <= index < len(self._rows) else ""

    def _row_height(self) -> int:
        return round(self.fontMetrics().height() * 1.35)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint label, bar and value of each row."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        total = sum(row.duration_ms for row in self._rows) or 1.0
        begun = 0.0
        for index, row in enumerate(self._rows):
            line = QRectF(0, index * self._row_height(), self.width(), self._row_height())
            self._paint_row(painter, row, line, begun / total, row.duration_ms / total)
            begun += row.duration_ms
        painter.end()

    def _values_width(self) -> float:
        """Return the room that the widest value takes, px: none is cut off."""
        return max(self.fontMetrics().horizontalAdvance(row.text) for row in self._rows) + GAP_PX

    def _paint_row(self, painter: QPainter, row: WaterfallRow, line: QRectF, start: float, share: float) -> None:
        colors = self._theme.colors
        values = self._values_width()
        label = QRectF(line.left(), line.top(), line.width() * LABEL_SHARE, line.height())
        value = QRectF(line.right() - values, line.top(), values, line.height())
        plot = QRectF(label.right() + GAP_PX, line.center().y(), value.left() - label.right() - 2 * GAP_PX, 0)
        height = line.height() * BAR_HEIGHT
        bar = QRectF(
            plot.left() + plot.width() * start,
            plot.top() - height / 2,
            max(MIN_BAR_PX, plot.width() * share),
            height,
        )
        metrics = painter.fontMetrics()

        def placed(area: QRectF) -> QRectF:
            return mirrored(area, self.width(), self.layoutDirection())

        painter.setPen(QColor(colors.muted))
        shown = metrics.elidedText(row.label, Qt.TextElideMode.ElideRight, int(label.width()))
        draw_line(painter, placed(label), shown, Qt.AlignmentFlag.AlignLeft)
        painter.setPen(QColor(colors.text))
        draw_line(painter, placed(value), row.text, Qt.AlignmentFlag.AlignRight)
        if plot.width() > MIN_BAR_PX:  # In large text there may be room for words alone.
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.accent))
            painter.drawRoundedRect(placed(bar), 2, 2)
