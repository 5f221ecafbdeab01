"""Tooltips of several lines: Qt would put plain text, however long, on a single one."""

from __future__ import annotations

from textwrap import wrap

LINE_CHARACTERS = 56


def in_lines(text: str) -> str:
    """Return `text` with its paragraphs broken into lines that are short enough to be read."""
    return "\n".join("\n".join(wrap(paragraph, LINE_CHARACTERS)) for paragraph in text.split("\n"))
