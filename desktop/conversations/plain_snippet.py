"""A snippet as it is read: without the marks of markdown that a message is stored with. No Qt."""

from __future__ import annotations

import re

from runtime.values.chat import Snippet, TextRange

MARKS = re.compile(r"(?<!\S)#{1,6}\s+|\*{2,}|~~|`+|(?<!\S)[*_]+(?=\w)|(?<=\w)[*_]+(?!\w)")
"""Headings, emphasis, strike-through, code; an asterisk between numbers and an underscore in a name are none."""


def without_marks(snippet: Snippet) -> Snippet:
    """Return `snippet` without marks; what was searched for stays whole, even where it is a mark."""
    kept, highlights, end = "", [], 0
    for hit in snippet.highlights:
        kept += _plain(snippet.text[end : hit.start], snippet.text[:end], snippet.text[hit.start :])
        highlights.append(TextRange(len(kept), len(kept) + hit.end - hit.start))
        kept += snippet.text[hit.start : hit.end]
        end = hit.end
    kept += _plain(snippet.text[end:], snippet.text[:end], "")
    return Snippet(kept, tuple(highlights))


def _plain(text: str, before: str, after: str) -> str:
    """Return `text` without its marks, which are known by what stands `before` and `after` it, too."""
    whole = before + text + after
    start, end = len(before), len(before) + len(text)
    parts, since = [], start
    for mark in MARKS.finditer(whole, start, end):
        parts.append(whole[since : mark.start()])
        since = mark.end()
    return "".join([*parts, whole[since:end]])
