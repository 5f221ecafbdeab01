"""The user's own text: shown as written, in pieces small enough that a pasted book costs no more than a page."""

from __future__ import annotations

from collections.abc import Iterator

from desktop.chat.markdown.block import Block, BlockKind

MAX_BLOCK_CHARACTERS = 3000
MAX_BLOCK_LINES = 40


def plain_blocks(text: str) -> Iterator[Block]:
    """Yield `text` in blocks, cut at newlines, or at a space where a line is too long for one block."""
    start = 0
    while start < len(text):
        end = _end_of_block(text, start)
        yield Block(kind=BlockKind.PLAIN, text=text[start:end].removesuffix("\n"), start=start, end=end)
        start = end


def _end_of_block(text: str, start: int) -> int:
    end = start
    for _ in range(MAX_BLOCK_LINES):
        newline = text.find("\n", end, start + MAX_BLOCK_CHARACTERS)
        if newline == -1:
            break
        end = newline + 1
    if len(text) - start <= MAX_BLOCK_CHARACTERS and text.count("\n", end) == 0:
        return len(text)
    if end > start:
        return end
    space = text.rfind(" ", start, start + MAX_BLOCK_CHARACTERS) + 1
    return space if space > start else start + MAX_BLOCK_CHARACTERS
