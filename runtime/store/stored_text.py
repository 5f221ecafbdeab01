"""Text as SQLite and JSON can hold it, and the title a first message gives its chat."""

from __future__ import annotations

import re

MAX_TITLE_CHARACTERS = 200
AUTOMATIC_TITLE_CHARACTERS = 60
TITLE_SOURCE_CHARACTERS = 2000
UNSTORABLE = re.compile("[\ud800-\udfff\x00]")
MARKDOWN_LEAD = re.compile(r"^[\s#>*+\-`_|~]+")
ELLIPSIS = "…"


def storable(text: str) -> str:
    """Return `text` with U+FFFD for what UTF-8 cannot hold (half surrogate pairs) and for NUL, where SQLite cuts."""
    return UNSTORABLE.sub("\ufffd", text)


def title_line(text: str) -> str:
    """Return `text` as a title: one line, single spaces, of bounded length."""
    return " ".join(storable(text[: 4 * MAX_TITLE_CHARACTERS]).split())[:MAX_TITLE_CHARACTERS].rstrip()


def automatic_title(text: str) -> str:
    """Return a title for a chat that begins with `text`: its first line with a word in it, cut at a word, or ""."""
    for line in text[:TITLE_SOURCE_CHARACTERS].splitlines():
        title = " ".join(storable(MARKDOWN_LEAD.sub("", line)).split())
        if any(character.isalnum() for character in title):
            return _shortened(title)
    return ""


def _shortened(title: str) -> str:
    if len(title) <= AUTOMATIC_TITLE_CHARACTERS:
        return title
    head = title[: AUTOMATIC_TITLE_CHARACTERS - 1]
    at_word = head.rsplit(" ", 1)[0]
    kept = at_word if len(at_word) > AUTOMATIC_TITLE_CHARACTERS // 2 else head
    return kept.rstrip(" ,.;:-") + ELLIPSIS
