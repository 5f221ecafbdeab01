"""How rows of the picker look: the name with its marks and verdict, what it is, what it is good at, how far it is."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QTextLayout, QTextOption
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from desktop.library.row_model import RowRole
from desktop.library.rows import HeadingRow, ModelRow, NoteRow
from desktop.library.words import verdict_word
from desktop.theme.theme import Theme
from desktop.widgets.chip import ChipTone, chip_size, paint_chip
from desktop.widgets.row_ground import paint_row_ground
from runtime.library.verdict import Verdict

Index = QModelIndex | QPersistentModelIndex
INSET_PX = 12.0
SIDE_PX = 4.0
GAP_PX = 8.0
RADIUS_PX = 8.0
PROGRESS_PX = 4.0
FACTS_SIZE, ABOUT_SIZE, HEADING_SIZE = 0.9, 0.9, 0.85
PADDING_LINES = 0.45

VERDICT_TONES = {
    Verdict.FITS: ChipTone.GOOD,
    Verdict.TIGHT: ChipTone.WARNING,
    Verdict.WILL_NOT_FIT: ChipTone.BAD,
}


class RowPainter(QStyledItemDelegate):
    """Paints one row, mirrored where text runs from right to left."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the height of the row's kind; a note takes as many lines as it needs."""
        line = QFontMetricsF(self._theme.fonts.text()).height()
        width = option.rect.width()
        match index.data(RowRole):
            case HeadingRow():
                return QSize(width, round(line * 2.0))
            case NoteRow(text=text):
                return QSize(width, round(self._note_layout(text, width - 2 * INSET_PX)[1] + line))
            case ModelRow() as row:
                lines = 2 + bool(row.about) + (0.5 if row.fraction is not None else 0)
                return QSize(width, round(line * (lines * 1.12 + 2 * PADDING_LINES)))
            case _:
                return super().sizeHint(option, index)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint ground and text."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setLayoutDirection(option.direction)
        area = QRectF(option.rect).adjusted(SIDE_PX, 1, -SIDE_PX, -1)
        match index.data(RowRole):
            case HeadingRow(text=text):
                self._paint_heading(painter, text, area.adjusted(INSET_PX - SIDE_PX, 0, -INSET_PX + SIDE_PX, 0))
            case NoteRow(text=text, is_bad=is_bad):
                self._paint_note(painter, text, area, is_bad=is_bad)
            case ModelRow() as row:
                paint_row_ground(
                    painter, self._theme, option.state, area.adjusted(0.5, 0.5, -0.5, -0.5), radius_px=RADIUS_PX
                )
                _Lines(painter, self._theme, area, option.direction).paint(row, self.tr)
        painter.restore()

    def _paint_heading(self, painter: QPainter, text: str, area: QRectF) -> None:
        font = self._theme.fonts.text(HEADING_SIZE, weight=QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(QColor(self._theme.colors.muted))
        lower = area.adjusted(0, area.height() * 0.3, 0, 0)
        shown = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, lower.width())
        painter.drawText(lower, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeading, shown)

    def _paint_note(self, painter: QPainter, text: str, area: QRectF, *, is_bad: bool) -> None:
        inner = area.adjusted(INSET_PX - SIDE_PX, 0, -INSET_PX + SIDE_PX, 0)
        layout, height = self._note_layout(text, inner.width())
        painter.setPen(QColor(self._theme.colors.bad if is_bad else self._theme.colors.muted))
        layout.draw(painter, QPointF(inner.left(), inner.center().y() - height / 2))

    def _note_layout(self, text: str, width: float) -> tuple[QTextLayout, float]:
        """Return the text laid out in lines of `width`, and its height."""
        layout = QTextLayout(text, self._theme.fonts.text(FACTS_SIZE))
        layout.setTextOption(QTextOption(Qt.AlignmentFlag.AlignLeading))
        height = 0.0
        layout.beginLayout()
        while (line := layout.createLine()).isValid():
            line.setLineWidth(max(40.0, width))
            line.setPosition(QPointF(0, height))
            height += line.height()
        layout.endLayout()
        return layout, height


class _Lines:
    """The text of one model, painted from the top line to the bar at the bottom."""

    def __init__(self, painter: QPainter, theme: Theme, area: QRectF, direction: Qt.LayoutDirection) -> None:
        self._painter = painter
        self._theme = theme
        self._is_mirrored = direction == Qt.LayoutDirection.RightToLeft
        line = QFontMetricsF(theme.fonts.text()).height()
        self._area = area.adjusted(INSET_PX - SIDE_PX, line * PADDING_LINES, -INSET_PX + SIDE_PX, -line * PADDING_LINES)
        self._line = line * 1.12

    def paint(self, row: ModelRow, tr: Callable[[str], str]) -> None:
        """Paint `row`."""
        colors, fonts = self._theme.colors, self._theme.fonts
        quiet = fonts.text(FACTS_SIZE)
        top, below = self._row(0), self._row(1)
        top = self._chip_at_end(top, verdict_word(row.verdict, tr), VERDICT_TONES[row.verdict]) if row.verdict else top
        name = fonts.text(weight=QFont.Weight.DemiBold)
        self._title(row, top, name)
        below = self._at_end(row.size, below, quiet, colors.muted)
        self._text(row.facts, below, quiet, colors.bad if row.is_bad else colors.muted)
        if row.about:
            self._text(row.about, self._row(2), fonts.text(ABOUT_SIZE), colors.faint)
        if row.fraction is not None:
            self._bar(row.fraction)

    def _row(self, number: int) -> QRectF:
        return QRectF(self._area.left(), self._area.top() + number * self._line, self._area.width(), self._line)

    def _title(self, row: ModelRow, area: QRectF, font: QFont) -> None:
        """Paint the name, and the mark right behind it where there is room for both."""
        room = area
        width = QFontMetricsF(font).horizontalAdvance(row.title) + 1
        mark = chip_size(self._theme, row.mark)
        if row.mark and width + GAP_PX + mark.width() <= area.width():
            room = self._placed(area, 0, width)
            corner = self._placed(area, width + GAP_PX, mark.width())
            paint_chip(
                self._painter,
                self._theme,
                QPointF(corner.left(), area.center().y() - mark.height() / 2),
                row.mark,
                ChipTone.ACCENT,
            )
        self._text(row.title, room, font, self._theme.colors.text, Qt.TextElideMode.ElideMiddle)

    def _chip_at_end(self, area: QRectF, text: str, tone: ChipTone) -> QRectF:
        """Paint a chip at the end of `area`; return what is left of it."""
        size = chip_size(self._theme, text)
        place = self._placed(area, area.width() - size.width(), size.width())
        corner = QPointF(place.left(), area.center().y() - size.height() / 2)
        paint_chip(self._painter, self._theme, corner, text, tone)
        return self._placed(area, 0, area.width() - size.width() - GAP_PX)

    def _at_end(self, text: str, area: QRectF, font: QFont, color: str) -> QRectF:
        """Write at the end of `area`; return what is left of it."""
        if not text:
            return area
        width = min(QFontMetricsF(font).horizontalAdvance(text) + 1, area.width() / 2)
        self._text(text, self._placed(area, area.width() - width, width), font, color)
        return self._placed(area, 0, area.width() - width - GAP_PX)

    def _placed(self, area: QRectF, start: float, width: float) -> QRectF:
        """Return the part of `area` that is `start` behind its beginning, wherever text begins."""
        left = area.right() - start - width if self._is_mirrored else area.left() + start
        return QRectF(left, area.top(), width, area.height())

    def _text(
        self,
        text: str,
        area: QRectF,
        font: QFont,
        color: str,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        self._painter.setFont(font)
        self._painter.setPen(QColor(color))
        shown = QFontMetricsF(font).elidedText(text, mode, area.width())
        self._painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeading, shown)

    def _bar(self, fraction: float) -> None:
        colors = self._theme.colors
        groove = QRectF(self._area.left(), self._area.bottom() - PROGRESS_PX, self._area.width(), PROGRESS_PX)
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(QColor(colors.border))
        self._painter.drawRoundedRect(groove, PROGRESS_PX / 2, PROGRESS_PX / 2)
        self._painter.setBrush(QColor(colors.accent))
        done = self._placed(groove, 0, max(PROGRESS_PX, groove.width() * min(1.0, fraction)))
        self._painter.drawRoundedRect(done, PROGRESS_PX / 2, PROGRESS_PX / 2)
