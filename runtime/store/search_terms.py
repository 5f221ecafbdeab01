"""What someone typed into the search field, taken apart; and where it stands in a text.

Every term is a substring, whatever its case: "load" finds "Downloading", "推理" finds it in any sentence. Terms are
separated by spaces and all have to be there; "double quotes" keep several words together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from runtime.store.stored_text import storable
from runtime.values.chat import Snippet, TextRange

MAX_QUERY_CHARACTERS = 500
MAX_TERMS = 12
INDEXED_CHARACTERS = 3  # the index is made of trigrams
SNIPPET_BEFORE = 40
SNIPPET_CHARACTERS = 160
MAX_HIGHLIGHTS = 50
TERM = re.compile(r'"([^"]*)"?|(\S+?)(?=\s|"|$)')
WHITESPACE = re.compile(r"\s")


def terms_of(query: str) -> tuple[str, ...]:
    """Return the terms of a query as they were typed, each once; none for an empty query."""
    found: dict[str, str] = {}
    for quoted, bare in TERM.findall(storable(query[:MAX_QUERY_CHARACTERS])):
        term = " ".join(quoted.split()) or bare
        if term:
            found.setdefault(folded(term), term)
    return tuple(found.values())[:MAX_TERMS]


def folded(text: str) -> str:
    """Return `text` in lower case, character by character, as many as before: offsets hold in both."""
    lower = text.lower()
    if len(lower) == len(text) and "Σ" not in text:  # the one letter whose lower case depends on its neighbours
        return lower
    return "".join(character.lower() if len(character.lower()) == 1 else character for character in text)


def index_expression(terms: Sequence[str]) -> str:
    """Return the full-text expression for terms of three characters or more: every trigram of each.

    It holds nothing but quoted strings and AND, so no typed character has a meaning of its own. Texts that match hold
    all trigrams, not always the term: whoever uses it checks with `ranges_of`. Terms come as they were typed, for the
    index has a folding of its own.
    """
    trigrams = {term[at : at + 3] for term in terms for at in range(len(term) - 2)}
    return " AND ".join('"' + trigram.replace('"', '""') + '"' for trigram in sorted(trigrams))


def like_patterns(term: str) -> list[str]:
    """Return the LIKE patterns (escape character: backslash) that find a short term; LIKE folds only ASCII itself."""
    spellings = [""]
    for character in term:
        cases = {character} if character.isascii() else {character, character.lower(), character.upper()}
        forms = sorted(form for form in cases if len(form) == 1)
        spellings = [spelling + form for spelling in spellings for form in forms]
    return ["%" + re.sub(r"([\\%_])", r"\\\1", spelling) + "%" for spelling in spellings]


def ranges_of(text: str, terms: Sequence[str]) -> list[TextRange] | None:
    """Return where the terms stand in a text, in order and without overlap; None unless every term is there."""
    searched = folded(text)
    found: list[TextRange] = []
    for term in map(folded, terms):
        at = searched.find(term)
        if at < 0:
            return None
        for _ in range(MAX_HIGHLIGHTS):
            found.append(TextRange(at, at + len(term)))
            at = searched.find(term, at + len(term))
            if at < 0:
                break
    return _merged(sorted(found, key=lambda r: (r.start, r.end)))


def _merged(ranges: list[TextRange]) -> list[TextRange]:
    merged: list[TextRange] = []
    for each in ranges:
        if merged and each.start <= merged[-1].end:
            merged[-1] = TextRange(merged[-1].start, max(merged[-1].end, each.end))
        else:
            merged.append(each)
    return merged


def snippet(text: str, ranges: Sequence[TextRange]) -> Snippet:
    """Return the surroundings of the first range, on one line, with the ranges that lie within it."""
    start = max(0, ranges[0].start - SNIPPET_BEFORE)
    end = min(len(text), max(start + SNIPPET_CHARACTERS, min(ranges[0].end, start + 2 * SNIPPET_CHARACTERS)))
    shown = [TextRange(each.start - start, min(each.end, end) - start) for each in ranges if start <= each.start < end]
    return Snippet(WHITESPACE.sub(" ", text[start:end]), tuple(shown))
