"""A text that may still grow, as blocks and their rows: what is finished stays, only the tail is shown anew."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from desktop.chat.markdown.block import Block, Quote
from desktop.chat.markdown.block_splitter import BlockSplitter
from desktop.chat.transcript.block_rows import BlockRowFactory, BlockRows
from desktop.chat.transcript.row import Row


class BlockStream:
    """Markdown that comes in pieces.

    Attributes:
        rows: the rows that show it.
    """

    def __init__(self, factory: BlockRowFactory, *, quoted: bool = False) -> None:
        self.rows: list[Row] = []
        self._factory = factory
        self._quoted = quoted
        self._splitter = BlockSplitter()
        self._blocks: list[BlockRows] = []
        self._row_starts: list[int] = []
        self._settled = 0

    def feed(self, text: str) -> int:
        """Take more text; return the index of the first row that may have changed."""
        finished = self._splitter.feed(text)
        return self._show(finished, self._splitter.tail())

    def finish(self) -> int:
        """Take the end of the text; return the index of the first row that may have changed."""
        return self._show(self._splitter.finish(), [])

    def show(self, blocks: Sequence[Block]) -> None:
        """Show blocks that are split already."""
        self._show(blocks, [])

    @property
    def blocks(self) -> list[Block]:
        """The blocks as they stand."""
        return [rows.block for rows in self._blocks]

    def block_of_row(self, index: int) -> int:
        """Return which block a row belongs to."""
        return max(number for number, start in enumerate(self._row_starts) if start <= index)

    def _show(self, finished: Sequence[Block], tail: Sequence[Block]) -> int:
        first = self._settled
        first_row = self._row_starts[first] if first < len(self._row_starts) else len(self.rows)
        blocks = [*finished, *tail]
        changes: list[tuple[int, int]] = []
        for position, plain in enumerate(blocks, start=first):
            is_final = position < first + len(finished)
            changed = self._show_block(position, self._in_quote(plain), is_final=is_final)
            if changed is not None:
                changes.append((position, changed))
        del self._blocks[first + len(blocks) :]
        self._settled = first + len(finished)
        self._place_rows(first, first_row)
        if not changes:
            return len(self.rows)
        position, changed = changes[0]
        return self._row_starts[position] + changed

    def _show_block(self, position: int, block: Block, *, is_final: bool) -> int | None:
        """Show a block at its place; return the first row of it that looks different, None if none does."""
        if position < len(self._blocks) and self._blocks[position].can_become(block):
            changed = self._blocks[position].update(block)
        else:
            del self._blocks[position:]
            self._blocks.append(self._factory.rows_of(block))
            changed = 0
        if is_final:
            changed = min(changed, self._blocks[position].settle())
        return changed if changed < len(self._blocks[position].rows) else None

    def _place_rows(self, first_block: int, first_row: int) -> None:
        del self.rows[first_row:]
        del self._row_starts[first_block:]
        for position in range(first_block, len(self._blocks)):
            rows = self._blocks[position]
            if position:
                rows.rows[0].gap_above = self._factory.gap_between(self._blocks[position - 1].block, rows.block)
            self._row_starts.append(len(self.rows))
            self.rows += rows.rows

    def _in_quote(self, block: Block) -> Block:
        return msgspec.structs.replace(block, containers=(Quote(), *block.containers)) if self._quoted else block
