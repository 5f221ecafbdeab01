"""Which way a text runs, by the Unicode bidirectional algorithm's rule for paragraphs (P2, P3)."""

from __future__ import annotations

import unicodedata

_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_STRONG = _RIGHT_TO_LEFT | {"L"}


def runs_right_to_left(text: str) -> bool:
    """Tell whether the first character that has a direction has the one from right to left."""
    return next((d in _RIGHT_TO_LEFT for d in map(unicodedata.bidirectional, text) if d in _STRONG), False)
