"""How rows look: headings small and muted, the chosen chat on a rounded ground, hits with their words marked."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QTextCharFormat, QTextLayout
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from desktop.conversations.row_model import RowRole
from desktop.conversations.rows import ChatRow, HeadingRow, HitRow
from desktop.conversations.snippet_fit import fitted
from desktop.state.warmth import Warmth
from desktop.theme.theme import Theme
from desktop.widgets.row_ground import paint_row_ground
from desktop.widgets.writing_direction import draw_line
from runtime.values.chat import Snippet

Index = QModelIndex | QPersistentModelIndex
SIDE_PX = 8.0
INSET_PX = 10.0
RADIUS_PX = 7.0
DOT_SIZE = 0.24
RING_PX = 1.4


class RowPainter(QStyledItemDelegate):
    """Paints one row."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the height of the row's kind."""
        line = QFontMetricsF(self._theme.fonts.text()).height()
        match index.data(RowRole):
            case HeadingRow():
                return QSize(option.rect.width(), round(line * 1.9))
            case HitRow(message_id=message_id) if message_id is not None:
                return QSize(option.rect.width(), round(line * 2.9))
            case _:
                return QSize(option.rect.width(), round(line * 2.0))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint ground and text."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(option.rect).adjusted(SIDE_PX, 1, -SIDE_PX, -1)
        row = index.data(RowRole)
        if not isinstance(row, HeadingRow):
            paint_row_ground(painter, self._theme, option.state, area, radius_px=RADIUS_PX)
        text_area = area.adjusted(INSET_PX, 0, -INSET_PX, 0)
        match row:
            case HeadingRow(text):
                self._paint_heading(painter, text, text_area)
            case ChatRow():
                self._paint_chat(painter, row, text_area)
            case HitRow():
                self._paint_hit(painter, row, text_area)
        painter.restore()

    def _paint_heading(self, painter: QPainter, text: str, area: QRectF) -> None:
        font = self._theme.fonts.text(0.85, weight=QFont.Weight.DemiBold)
        self._draw(painter, text, area.adjusted(0, area.height() * 0.25, 0, 0), font, self._theme.colors.muted)

    def _paint_chat(self, painter: QPainter, row: ChatRow, area: QRectF) -> None:
        if row.warmth in (Warmth.MEMORY, Warmth.DISK):
            spot, area = _cut_off(painter, area, area.height() * DOT_SIZE)
            self._paint_dot(painter, row.warmth, spot)
        if row.is_pinned:
            spot, area = _cut_off(painter, area, area.height() * 0.36)
            self._theme.icons.icon("pin", self._theme.colors.faint).paint(painter, spot.toRect())
        self._draw(painter, row.title, area, self._theme.fonts.text(), self._theme.colors.text)

    def _paint_dot(self, painter: QPainter, warmth: Warmth, spot: QRectF) -> None:
        """Paint a dot for what is in memory, a ring for what is on disk: told apart without colour, too."""
        color = QColor(self._theme.colors.good if warmth is Warmth.MEMORY else self._theme.colors.faint)
        painter.setPen(QPen(color, RING_PX))
        painter.setBrush(color if warmth is Warmth.MEMORY else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(spot.adjusted(RING_PX / 2, RING_PX / 2, -RING_PX / 2, -RING_PX / 2))

    def _paint_hit(self, painter: QPainter, row: HitRow, area: QRectF) -> None:
        if row.message_id is None:
            self._paint_snippet(painter, row.snippet, area, self._theme.fonts.text(), self._theme.colors.text)
            return
        upper = QRectF(area.left(), area.top() + area.height() * 0.08, area.width(), area.height() * 0.42)
        lower = QRectF(area.left(), upper.bottom(), area.width(), area.height() * 0.42)
        self._draw(painter, row.title, upper, self._theme.fonts.text(0.9), self._theme.colors.muted)
        self._paint_snippet(painter, row.snippet, lower, self._theme.fonts.text(0.95), self._theme.colors.text)

    def _draw(self, painter: QPainter, text: str, area: QRectF, font: QFont, color: str) -> None:
        painter.setFont(font)
        painter.setPen(QColor(color))
        shown = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, area.width())
        draw_line(painter, area, shown, Qt.AlignmentFlag.AlignLeft)

    def _paint_snippet(self, painter: QPainter, whole: Snippet, area: QRectF, font: QFont, color: str) -> None:
        """Draw a line with its hits on the colour of search hits, as much around the first one as there is room for."""
        snippet = fitted(whole, area.width(), QFontMetricsF(font).horizontalAdvance)
        layout = QTextLayout(snippet.text, font)
        layout.setFormats([_marked(snippet.text, hit.start, hit.end, self._theme) for hit in snippet.highlights])
        layout.beginLayout()
        line = layout.createLine()
        line.setLineWidth(1e6)
        layout.endLayout()
        painter.setPen(QColor(color))
        left = area.right() - line.naturalTextWidth() if _mirrors(painter) else area.left()
        layout.draw(painter, QPointF(left, area.center().y() - line.height() / 2))


def _cut_off(painter: QPainter, area: QRectF, size: float) -> tuple[QRectF, QRectF]:
    """Return a square at the end of `area`, and what is left of it for what comes before."""
    mirrors = _mirrors(painter)
    left = area.left() if mirrors else area.right() - size
    spot = QRectF(left, area.center().y() - size / 2, size, size)
    taken = size + INSET_PX
    return spot, area.adjusted(taken, 0, 0, 0) if mirrors else area.adjusted(0, 0, -taken, 0)


def _mirrors(painter: QPainter) -> bool:
    return painter.layoutDirection() is Qt.LayoutDirection.RightToLeft


def _marked(text: str, start: int, end: int, theme: Theme) -> QTextLayout.FormatRange:
    """Return the format of a hit; offsets of ours count code points, Qt's count UTF-16 units."""
    part = QTextLayout.FormatRange()
    part.start = len(text[:start].encode("utf-16-le")) // 2
    part.length = len(text[start:end].encode("utf-16-le")) // 2
    style = QTextCharFormat()
    style.setBackground(QColor(theme.colors.marked))
    style.setForeground(QColor(theme.colors.text))
    part.format = style
    return part
