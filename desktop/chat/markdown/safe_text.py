"""Text from a model made safe for Qt's documents, which give some characters a meaning of their own."""

from __future__ import annotations

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Control characters but tab and newline; line and paragraph separators; Qt's marks for frames (U+FDD0, U+FDD1) and
# embedded objects (U+FFFC); surrogates, which cannot be encoded.
_MEANT_FOR_QT = re.compile("[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\ufdd0\ufdd1\ufffc\ud800-\udfff]")


def safe_text(text: str) -> str:
    """Return `text` with Unix newlines and nothing in it that Qt would take for structure."""
    return _MEANT_FOR_QT.sub(REPLACEMENT, text.replace("\r\n", "\n").replace("\r", "\n"))
