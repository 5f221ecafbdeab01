"""A paragraph, a heading, display math or the user's own words: one document, lines broken at the column's edge."""

from __future__ import annotations

from math import ceil

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter

from desktop.chat.markdown.block import Block, BlockKind
from desktop.chat.markdown.growing_text import GrowingText
from desktop.chat.markdown.inline import InlineParser
from desktop.chat.markdown.latex import latex_to_text
from desktop.chat.markdown.run import Run, Style
from desktop.chat.markdown.safe_text import safe_text
from desktop.chat.transcript.containers import indent_of, marker_text, paint_containers
from desktop.chat.transcript.document import RunsDocument
from desktop.chat.transcript.look import LINE_HEIGHT_PERCENT, Look
from desktop.chat.transcript.row import Row, RowState, TextRow

HEADING_LINE_HEIGHT_PERCENT = 122


class ProseRow(TextRow):
    """Running text."""

    def __init__(self, block: Block, look: Look, parser: InlineParser) -> None:
        super().__init__(block)
        self._look = look
        self._parser = parser
        self._growing: GrowingText | None = None
        self._document: RunsDocument | None = None
        self._plain_text: str | None = None
        self._indent = indent_of(block.containers, look)

    def update(self, block: Block) -> None:
        """Show a block that has grown."""
        self.block = block
        self._plain_text = None
        if self._document is not None:
            self._growing = self._growing or GrowingText(self._parser)
            self.dirty_top = self._document.set_runs(self._runs())
        self.forget_measure()

    def estimate(self, width: float) -> None:
        """Guess the height from the number of characters."""
        characters_a_line = max((width - self._indent) / self._look.character_width, 10)
        lines = self.block.text.count("\n") + 1 + len(self.block.text) / characters_a_line
        self.height = ceil(lines * self._look.line_height)

    def measure(self, width: float) -> None:
        """Break lines at `width` px."""
        document = self._laid_out()
        document.set_width(max(width - self._indent, 40))
        self.height = ceil(document.size().height())
        super().measure(width)

    def natural_width(self) -> float:
        """Return the width in px of the longest line, as the lines are broken now."""
        return ceil(self._laid_out().idealWidth()) + self._indent

    def is_right_to_left(self) -> bool:
        """Tell whether the text runs from right to left."""
        return self._laid_out().is_right_to_left()

    def release(self) -> None:
        """Drop the document."""
        self._document = None
        self._growing = None

    def paint(self, painter: QPainter, width: float, state: RowState) -> None:
        """Paint the text and what its containers put beside it."""
        document = self._laid_out()
        document.set_width(max(width - self._indent, 40))
        if self.block.containers:
            box = QRectF(0, -self.gap_above, width, self.height + self.gap_above)
            first_line = document.caret_rect(0)
            paint_containers(
                painter, self.block, self._look, box=box, first_line=first_line, mirrored=document.is_right_to_left()
            )
        left = self._text_left()
        painter.translate(left, 0)
        document.paint(painter, state.moved(-left, 0))
        painter.translate(-left, 0)

    def plain_text(self) -> str:
        """Return the text without its markup."""
        if self._plain_text is None:
            self._plain_text = "".join(run.text for run in self._runs())
        return self._plain_text

    def copied_text(self, start: int, end: int) -> str:
        """Return the text of a span, with the list marker if it starts at the item's beginning."""
        marker = marker_text(self.block) if start == 0 else ""
        return marker + super().copied_text(start, end)

    def offset_at(self, point: QPointF) -> int:
        """Return the place in the text nearest to a point of the row."""
        return self._laid_out().offset_at(point - QPointF(self._text_left(), 0))

    def caret_rect(self, offset: int) -> QRectF:
        """Return where a caret would stand at `offset`."""
        return self._laid_out().caret_rect(offset).translated(self._text_left(), 0)

    def link_at(self, point: QPointF) -> str:
        """Return the address that a point leads to."""
        return self._laid_out().link_at(point - QPointF(self._text_left(), 0))

    def links(self) -> list[str]:
        """Return the addresses in the text."""
        return [run.address for run in self._runs() if run.address]

    def _text_left(self) -> float:
        return 0.0 if self._laid_out().is_right_to_left() else self._indent

    def _runs(self) -> tuple[Run, ...]:
        text = self.block.text
        match self.block.kind:
            case BlockKind.PLAIN:
                return (Run(text),) if text else ()
            case BlockKind.MATH:
                return (Run(safe_text(latex_to_text(text)), Style.MATH),)
            case _:
                return self._growing.runs(text) if self._growing is not None else self._parser.runs(text)

    def _laid_out(self) -> RunsDocument:
        if self._document is None:
            self._document = RunsDocument(
                self._look,
                self._look.heading_font(self.block.level) if self.block.level else self._look.text_font,
                line_height_percent=HEADING_LINE_HEIGHT_PERCENT if self.block.level else LINE_HEIGHT_PERCENT,
                is_centered=self.block.kind is BlockKind.MATH,
            )
            self._document.set_runs(self._runs())
        return self._document


class RuleRow(Row):
    """A horizontal rule."""

    def __init__(self, block: Block, look: Look) -> None:
        super().__init__()
        self.block = block
        self._look = look
        self.height = look.distance(0.6)

    def paint(self, painter: QPainter, width: float, state: RowState) -> None:  # noqa: ARG002 - it has no text
        """Paint the line."""
        indent = indent_of(self.block.containers, self._look)
        if self.block.containers:
            box = QRectF(0, -self.gap_above, width, self.height + self.gap_above)
            paint_containers(painter, self.block, self._look, box=box, first_line=QRectF(0, 0, 0, self.height))
        line = QRectF(indent, round(self.height / 2), width - indent, 1)
        painter.fillRect(line, QColor(self._look.colors.border))
