"""Streamed markdown to blocks, one line at a time, so that the cost of new text never depends on the text before it.

This is CommonMark's own block algorithm (spec 0.31, appendix "A parsing strategy"): each line is matched against the
open containers, may open new ones, and what is left of it belongs to a leaf. A block is finished when its leaf closes
and never changes afterwards; only the last block is open. Beyond CommonMark: GitHub's tables and task lists, display
math. Left out: HTML and link reference definitions, which show as the text they are.
"""

from __future__ import annotations

from desktop.chat.markdown.block import Block
from desktop.chat.markdown.line_parser import LineParser


class BlockSplitter:
    """Takes text in pieces of any size and gives finished blocks; how it was cut never shows in them."""

    def __init__(self) -> None:
        self._partial: list[str] = []
        self._parser = LineParser()

    def feed(self, text: str) -> list[Block]:
        """Take more text; return the blocks that it finished."""
        before, newline, after = text.rpartition("\n")
        if not newline:
            self._partial.append(text)
            return []
        self._partial.append(before)
        for line in "".join(self._partial).split("\n"):
            self._parser.take_line(line)
        self._partial = [after]
        return self._parser.take_finished()

    def tail(self) -> list[Block]:
        """Return how the rest stands now: the open block, or what the line under way makes of it."""
        provisional = self._parser.clone()
        provisional.take_partial_line("".join(self._partial))
        return provisional.take_finished()

    def finish(self) -> list[Block]:
        """Take the end of the text; return the last blocks. The splitter is then as new."""
        partial = "".join(self._partial)
        if partial:
            self._parser.take_line(partial)
        self._parser.close()
        blocks = self._parser.take_finished()
        self._partial, self._parser = [], LineParser()
        return blocks


def split_blocks(text: str) -> list[Block]:
    """Return the blocks of a whole text."""
    splitter = BlockSplitter()
    return splitter.feed(text) + splitter.finish()
