"""From a block to its rows, and how they follow when the block grows."""

from __future__ import annotations

from abc import ABC, abstractmethod

from desktop.chat.markdown.block import Block, BlockKind, ListItem, Quote
from desktop.chat.markdown.block_starts import column_alignments, split_row
from desktop.chat.markdown.inline import InlineParser
from desktop.chat.transcript.code_colors import CodeColors
from desktop.chat.transcript.code_rows import LINES_A_ROW, CodeBlockState, CodeHeaderRow, CodeRow
from desktop.chat.transcript.look import Look
from desktop.chat.transcript.prose_row import ProseRow, RuleRow
from desktop.chat.transcript.row import Row
from desktop.chat.transcript.table_columns import TableColumns
from desktop.chat.transcript.table_rows import TableRow, table_cells
from desktop.widgets.writing_direction import runs_right_to_left

FRAMED = {BlockKind.CODE, BlockKind.TABLE}
"""Blocks that stand in a frame, which needs more room around it than a line of text."""


class BlockRows(ABC):
    """A block and the rows that show it."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.rows: list[Row] = []

    def can_become(self, block: Block) -> bool:
        """Tell whether `block` can be the same block with more text."""
        old = self.block
        return (old.kind, old.containers, old.level) == (block.kind, block.containers, block.level)

    @abstractmethod
    def update(self, block: Block) -> int:
        """Show a block that has grown; return the index of the first row that looks different."""

    def settle(self) -> int:
        """Take that the block will not change again; return the index of the first row that looks different."""
        return len(self.rows)


class ProseRows(BlockRows):
    """A paragraph, a heading, display math, plain text."""

    def __init__(self, block: Block, look: Look, parser: InlineParser) -> None:
        super().__init__(block)
        self._row = ProseRow(block, look, parser)
        self.rows = [self._row]

    def update(self, block: Block) -> int:
        """Show a block that has grown."""
        if block == self.block:
            return 1
        self.block = block
        self._row.update(block)
        return 0


class RuleRows(BlockRows):
    """A horizontal rule."""

    def __init__(self, block: Block, look: Look) -> None:
        super().__init__(block)
        self.rows = [RuleRow(block, look)]

    def update(self, block: Block) -> int:
        """Take the block's new place in the source."""
        self.block = block
        return 1


class CodeRows(BlockRows):
    """A code block."""

    def __init__(self, block: Block, look: Look) -> None:
        super().__init__(block)
        self._look = look
        self._header = CodeHeaderRow(block, look)
        self._shared = CodeBlockState(CodeColors(block.language, look.syntax))
        self.update(block)

    def can_become(self, block: Block) -> bool:
        """Tell whether it is the same block, in the same language."""
        return super().can_become(block) and self.block.language == block.language

    def update(self, block: Block) -> int:
        """Show a block that has grown: only its last row changes, or there is a new one."""
        if block == self.block and self.rows:
            return len(self.rows)
        self.block = block
        lines = block.text.split("\n")
        rows = self._shared.rows
        needed = -(-len(lines) // LINES_A_ROW)
        changed_from = max(min(len(rows), needed) - 1, 0)
        del rows[needed:]
        for index in range(len(rows), needed):
            rows.append(CodeRow(block, index * LINES_A_ROW, self._look, self._shared))
        for row in rows[changed_from:]:
            part = lines[row.first_line : row.first_line + LINES_A_ROW]
            row.update(part, is_last=row is rows[-1])
        for row in rows:
            row.block = block
        self._header.update(block)
        self.rows = [self._header, *rows]
        return 1 + changed_from

    def settle(self) -> int:
        """Colour the last line together with those above it."""
        return len(self.rows) - 1 if self._shared.rows[-1].settle() else len(self.rows)


class TableRows(BlockRows):
    """A table."""

    def __init__(self, block: Block, look: Look, parser: InlineParser) -> None:
        super().__init__(block)
        self._look = look
        self._parser = parser
        self._sources: list[str] = []
        self._table_rows: list[TableRow] = []
        header, delimiters = block.text.split("\n")[:2]
        is_mirrored = runs_right_to_left(header)
        self._columns = TableColumns(column_alignments(delimiters) or [], look, is_mirrored=is_mirrored)
        self.update(block)

    def can_become(self, block: Block) -> bool:
        """Tell whether it is the same table: with the same head and rows."""
        return super().can_become(block) and block.text.startswith(self.block.text)

    def update(self, block: Block) -> int:
        """Show a table that has gained rows."""
        if block == self.block and self.rows:
            return len(self.rows)
        self.block = block
        version = self._columns.version
        first = max(len(self._sources) - 1, 0)
        header, _, *body = block.text.split("\n")
        sources = [header, *body]
        for source in sources[len(self._sources) :]:
            is_head = not self._table_rows
            runs = (self._parser.runs(cell) for cell in split_row(source))
            cells = table_cells(runs, len(self._columns.alignments), is_head=is_head)
            row = TableRow(block, cells, self._columns, self._look)
            row.is_head = is_head
            self._table_rows.append(row)
        for row in self._table_rows[first:]:
            row.is_last = row is self._table_rows[-1]
        for row in self._table_rows:
            row.block = block
        self._sources = sources
        self.rows = list(self._table_rows)
        return first if version == self._columns.version else 0


class BlockRowFactory:
    """Makes the rows of blocks under one look."""

    def __init__(self, look: Look, parser: InlineParser) -> None:
        self.look = look
        self._parser = parser

    def rows_of(self, block: Block) -> BlockRows:
        """Return the rows of `block`."""
        match block.kind:
            case BlockKind.CODE:
                return CodeRows(block, self.look)
            case BlockKind.TABLE:
                return TableRows(block, self.look, self._parser)
            case BlockKind.RULE:
                return RuleRows(block, self.look)
            case BlockKind.PARAGRAPH | BlockKind.HEADING | BlockKind.MATH | BlockKind.PLAIN:
                return ProseRows(block, self.look, self._parser)

    def gap_between(self, above: Block, below: Block) -> float:
        """Return the distance between two blocks, px."""
        return self.look.distance(_gap(above, below))


def _gap(above: Block, below: Block) -> float:
    """Return the distance between two blocks in the look's units."""
    if BlockKind.PLAIN in {above.kind, below.kind}:
        return 0.0
    if below.kind is BlockKind.HEADING:
        return 1.15 if below.level <= 2 else 0.95
    if above.kind is BlockKind.HEADING:
        return 0.45
    if _is_tight_list(above, below):
        return 0.45 if {above.kind, below.kind} & FRAMED else 0.22
    return 0.7


def _is_tight_list(above: Block, below: Block) -> bool:
    """Tell whether `below` follows `above` in a list without a blank line between them, both in the same quotes."""
    pairs = zip(above.containers, below.containers, strict=False)
    inside = next((pair for pair in pairs if not all(isinstance(container, Quote) for container in pair)), ())
    in_list = bool(inside) and all(isinstance(container, ListItem) for container in inside)
    return in_list and not below.after_blank_line
