"""The one kind of Qt document that the transcript makes: plain runs of text that load nothing."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt, QUrl
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)

from desktop.chat.markdown.run import Run, Style
from desktop.chat.transcript.look import INLINE_CODE_SCALE, Look
from desktop.chat.transcript.row import RowState, Span, utf16_length

LINE_BREAK = "\N{LINE SEPARATOR}"
CHIP_RADIUS = 4.0
CARET_WIDTH = 2.0


class RunsDocument(QTextDocument):
    """Styled runs of text, laid out by Qt; the runs can change at their end at the cost of the change."""

    def __init__(self, look: Look, font: QFont, *, line_height_percent: float, is_centered: bool = False) -> None:
        super().__init__()
        self._look = look
        self._code_points = font.pointSizeF() * INLINE_CODE_SCALE
        self._runs: tuple[Run, ...] = ()
        self._text = ""
        self._ends: list[int] = []  # of the runs, in UTF-16 code units
        self._chips: list[tuple[Span, list[QRectF]]] = []  # of inline code, as far as worked out
        self._code_spans: list[Span] = []
        # Qt puts what a line is higher than its text below the text; half of it belongs above.
        self._lead = QPointF(0, QFontMetricsF(font).height() * (line_height_percent / 100 - 1) / 2)
        self.setDocumentMargin(0)
        self.setUndoRedoEnabled(False)
        self.setDefaultFont(font)
        block_format = QTextBlockFormat()
        block_format.setLineHeight(line_height_percent, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        if is_centered:
            block_format.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        QTextCursor(self).setBlockFormat(block_format)

    def loadResource(self, _kind: int, _name: QUrl | str) -> object:
        """Load nothing: neither from the network nor from a file, whatever the text asks for."""
        return None

    def set_runs(self, runs: tuple[Run, ...]) -> float:
        """Show `runs`; what they have in common with those shown stays.

        Returns:
            Px from the top from which on the text may look different.
        """
        same = _common(self._runs, runs)
        kept = self._ends[same - 1] if same else 0
        grown = self._grown_run(runs, same)
        changed_from = kept if grown is None else self._ends[same]
        changed_top = self.caret_rect(changed_from).top() - self._lead.y()
        cursor = QTextCursor(self)
        cursor.beginEditBlock()
        if grown is None:
            cursor.setPosition(kept)
            cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
            cursor.removeSelectedText()
        else:
            cursor.movePosition(QTextCursor.MoveOperation.End)
            self._insert(cursor, grown)
            same += 1
        for run in runs[same:]:
            self._insert(cursor, run)
        cursor.endEditBlock()
        self._take_runs(runs, _common(self._runs, runs))
        self._drop_chips(changed_top)
        return changed_top

    def set_text(self, text: str) -> None:
        """Show plain text, each line a block of its own; what it has in common with the text shown stays."""
        cursor = QTextCursor(self)
        if text.startswith(self._text):
            cursor.movePosition(QTextCursor.MoveOperation.End)
            cursor.insertText(text[len(self._text) :])
        else:
            cursor.select(QTextCursor.SelectionType.Document)
            cursor.insertText(text)
        self._text = text

    def set_width(self, width: float) -> None:
        """Break lines at `width` px; a negative width does not break them."""
        if self.textWidth() != width:
            self.setTextWidth(width)
            self._chips.clear()

    def is_right_to_left(self) -> bool:
        """Tell whether the text runs from right to left."""
        return self.firstBlock().textDirection() == Qt.LayoutDirection.RightToLeft

    def paint(self, painter: QPainter, state: RowState) -> None:
        """Paint the text with its selection and hits, top left corner at the painter's origin."""
        state = state.moved(0, -self._lead.y())
        painter.translate(self._lead)
        self._paint_chips(painter, state.clip)
        context = QAbstractTextDocumentLayout.PaintContext()
        context.palette = self._look.palette
        context.clip = state.clip
        context.selections = self._selections(state)
        self.documentLayout().draw(painter, context)
        if state.shows_caret:
            end = self.caret_rect(self.characterCount() - 1).translated(-self._lead)
            painter.fillRect(QRectF(end.x() + 1, end.y(), CARET_WIDTH, end.height()), QColor(self._look.colors.accent))
        painter.translate(-self._lead)

    def offset_at(self, point: QPointF) -> int:
        """Return the place in the text nearest to a point."""
        return max(self.documentLayout().hitTest(point - self._lead, Qt.HitTestAccuracy.FuzzyHit), 0)

    def link_at(self, point: QPointF) -> str:
        """Return the address of the link at a point."""
        return self.documentLayout().anchorAt(point - self._lead)

    def caret_rect(self, offset: int) -> QRectF:
        """Return where a caret would stand at `offset`."""
        block = self.findBlock(offset)
        if not block.isValid():
            return QRectF()
        top = self.documentLayout().blockBoundingRect(block).topLeft() + self._lead  # has it laid out
        line = block.layout().lineForTextPosition(offset - block.position())
        if not line.isValid():
            return QRectF(0, self._lead.y(), 0, self._look.unit)
        x = _line_x(line.cursorToX(offset - block.position()))
        return QRectF(top.x() + x, top.y() + line.y(), 0, line.ascent() + line.descent())

    def _grown_run(self, runs: tuple[Run, ...], same: int) -> Run | None:
        """Return what the last run shown has gained, if it has only gained text."""
        if same != len(self._runs) - 1 or same >= len(runs):
            return None
        old, new = self._runs[same], runs[same]
        if (old.style, old.address) != (new.style, new.address) or not new.text.startswith(old.text):
            return None
        return Run(new.text[len(old.text) :], new.style, new.address)

    def _insert(self, cursor: QTextCursor, run: Run) -> None:
        text_format = self._look.format(run.style, is_link=bool(run.address))
        if run.address or run.style & Style.CODE:
            text_format = QTextCharFormat(text_format)
        if run.address:
            text_format.setAnchor(True)
            text_format.setAnchorHref(run.address)
        if run.style & Style.CODE:
            text_format.setFontPointSize(self._code_points)
        cursor.insertText(run.text.replace("\n", LINE_BREAK), text_format)

    def _selections(self, state: RowState) -> list[QAbstractTextDocumentLayout.Selection]:
        colors = self._look.colors
        selections = [self._selection(hit, colors.marked, None) for hit in state.hits if hit != state.current_hit]
        if state.current_hit is not None:
            selections.append(self._selection(state.current_hit, colors.accent, colors.on_accent))
        if state.selection is not None:
            selections.append(self._selection(state.selection, colors.selected, None))
        return selections

    def _selection(self, span: Span, ground: str, ink: str | None) -> QAbstractTextDocumentLayout.Selection:
        selection = QAbstractTextDocumentLayout.Selection()
        last = self.characterCount() - 1
        cursor = QTextCursor(self)
        cursor.setPosition(min(span[0], last))
        cursor.setPosition(min(span[1], last), QTextCursor.MoveMode.KeepAnchor)
        text_format = QTextCharFormat()
        text_format.setBackground(QColor(ground))
        if ink is not None:
            text_format.setForeground(QColor(ink))
        selection.cursor = cursor
        selection.format = text_format
        return selection

    def _paint_chips(self, painter: QPainter, clip: QRectF) -> None:
        """Paint the ground of inline code, which Qt itself would paint as high as the line."""
        if not self._code_spans:
            return
        for span in self._code_spans[len(self._chips) :]:
            self._chips.append((span, self._chips_of(span)))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._look.colors.hover))
        for _, chips in self._chips:
            for chip in chips:
                if chip.intersects(clip):
                    painter.drawRoundedRect(chip, CHIP_RADIUS, CHIP_RADIUS)

    def _drop_chips(self, top: float) -> None:
        """Forget the grounds of inline code from the line at `top` px on."""
        while self._chips and any(chip.bottom() > top for chip in self._chips[-1][1]):
            self._chips.pop()
        del self._chips[len(self._code_spans) :]

    def _take_runs(self, runs: tuple[Run, ...], same: int) -> None:
        """Note where runs and inline code are, from run number `same` on."""
        self._runs = runs
        del self._ends[same:]
        position = self._ends[-1] if same else 0
        while self._code_spans and self._code_spans[-1][1] > position:
            self._code_spans.pop()
        for run in runs[same:]:
            start, position = position, position + utf16_length(run.text)
            self._ends.append(position)
            if run.style & Style.CODE:
                self._code_spans.append((start, position))

    def _chips_of(self, span: Span) -> list[QRectF]:
        block = self.findBlock(span[0])
        top = self.documentLayout().blockBoundingRect(block).topLeft()
        return [chip.translated(top) for chip in _line_rects(block, span)]


def _line_rects(block: QTextBlock, span: Span) -> list[QRectF]:
    """Return the part of each line that a span covers."""
    layout = block.layout()
    rects: list[QRectF] = []
    start, end = span[0] - block.position(), span[1] - block.position()
    for number in range(layout.lineForTextPosition(start).lineNumber(), layout.lineCount()):
        line = layout.lineAt(number)
        if line.textStart() >= end:
            break
        first, last = max(start, line.textStart()), min(end, line.textStart() + line.textLength())
        if first < last:
            left, right = sorted((_line_x(line.cursorToX(first)), _line_x(line.cursorToX(last))))
            rects.append(QRectF(left - 2, line.y(), right - left + 4, line.ascent() + line.descent()))
    return rects


def _line_x(found: object) -> float:
    """Return the place alone: Qt's binding gives it together with the cursor's position."""
    place = found[0] if isinstance(found, tuple) else found
    return float(place) if isinstance(place, int | float) else 0.0


def _common(old: Sequence[Run], new: Sequence[Run]) -> int:
    """Return how many runs are the same at the beginning of both."""
    same = 0
    for one, other in zip(old, new, strict=False):
        if one is not other and one != other:
            break
        same += 1
    return same
