"""A snippet of found text, cut to the room there is, so that what was found is always in what is shown. No Qt."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from runtime.values.chat import Snippet, TextRange

ELLIPSIS = "…"
BEFORE_SHARE = 0.4
"""How much of the room what precedes the first hit may take where something has to go."""


def fitted(snippet: Snippet, room: float, width_of: Callable[[str], float]) -> Snippet:
    """Return `snippet` shortened at its start, its end or both, until it fits `room` by `width_of`."""
    if width_of(snippet.text) <= room:
        return snippet
    first = snippet.highlights[0] if snippet.highlights else TextRange(0, 0)
    begins = _fits_until_hit(snippet.text, first, room, width_of)
    text = (ELLIPSIS if begins else "") + snippet.text[begins:]
    shift = begins - (1 if begins else 0)
    ends = _longest(text, room, width_of)
    shown = text if ends == len(text) else text[:ends] + ELLIPSIS
    marks = [TextRange(max(0, hit.start - shift), min(ends, hit.end - shift)) for hit in snippet.highlights]
    return msgspec.structs.replace(
        snippet, text=shown, highlights=tuple(mark for mark in marks if mark.start < mark.end)
    )


def _fits_until_hit(text: str, hit: TextRange, room: float, width_of: Callable[[str], float]) -> int:
    """Return where to begin so that the hit is in view: 0 if it is anyway, else at a word where there is one."""
    if width_of(text[: hit.end]) <= room * (1 - BEFORE_SHARE / 2):
        return 0
    begins = hit.start
    while begins > 0 and width_of(ELLIPSIS + text[begins - 1 : hit.start]) <= room * BEFORE_SHARE:
        begins -= 1
    word = text.find(" ", begins, hit.start)
    return word + 1 if 0 <= word < hit.start and begins > 0 else begins


def _longest(text: str, room: float, width_of: Callable[[str], float]) -> int:
    """Return how many characters fit, with room for an ellipsis where that is not all of them."""
    if width_of(text) <= room:
        return len(text)
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if width_of(text[:middle] + ELLIPSIS) <= room else (low, middle - 1)
    return low
