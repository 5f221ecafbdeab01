"""What rows say when they are read rather than seen."""

from __future__ import annotations

from collections.abc import Iterable

from desktop.chat.markdown.block import Block
from desktop.chat.transcript.code_rows import CodeHeaderRow
from desktop.chat.transcript.row import Row, TextRow


def plain_text(rows: Iterable[Row]) -> str:
    """Return the text of all rows, a line each at least."""
    return "\n".join(row.plain_text() for row in rows if isinstance(row, TextRow))


def code_blocks(rows: Iterable[Row]) -> list[Block]:
    """Return the code blocks in them."""
    return [row.block for row in rows if isinstance(row, CodeHeaderRow)]


def links(rows: Iterable[Row]) -> list[str]:
    """Return the addresses in them, each once."""
    return list(dict.fromkeys(link for row in rows if isinstance(row, TextRow) for link in row.links()))
