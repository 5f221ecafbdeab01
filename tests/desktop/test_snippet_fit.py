"""However narrow the list is, a search hit shows what was found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop.conversations.snippet_fit import ELLIPSIS, fitted
from runtime.values.chat import Snippet, TextRange

TEXT = "feed-forward gate up, and then there is the KV cache? which holds keys and values of all that was said"
HIT = TextRange(TEXT.index("cache"), TEXT.index("cache") + len("cache"))


def marked(snippet: Snippet) -> list[str]:
    return [snippet.text[one.start : one.end] for one in snippet.highlights]


def characters(text: str) -> float:
    return len(text)


def test_what_fits_stays_as_it_is() -> None:
    snippet = Snippet(TEXT, (HIT,))
    assert fitted(snippet, len(TEXT), characters) is snippet


def test_the_hit_is_in_view_between_two_ellipses() -> None:
    shown = fitted(Snippet(TEXT, (HIT,)), 24, characters)
    assert marked(shown) == ["cache"]
    assert shown.text == "…the KV cache? which ho…"


def test_a_hit_at_the_start_keeps_the_start() -> None:
    shown = fitted(Snippet("cache " + TEXT, (TextRange(0, 5),)), 20, characters)
    assert shown.text.startswith("cache ")
    assert shown.text.endswith(ELLIPSIS)


@pytest.mark.parametrize("room", [0, 1, 2, 3])
def test_next_to_no_room_is_no_error(room: int) -> None:
    assert len(fitted(Snippet(TEXT, (HIT,)), room, characters).text) <= max(room, 1) + 1


@given(st.text(max_size=80), st.integers(0, 79), st.integers(1, 10), st.integers(12, 60))
def test_the_hit_is_always_shown_and_nothing_beside_it_is_marked(text: str, start: int, length: int, room: int) -> None:
    start = min(start, max(0, len(text) - 1))
    hit = TextRange(start, min(len(text), start + length))
    wanted = text[hit.start : hit.end]
    shown = fitted(Snippet(text, (hit,) if wanted else ()), room, characters)
    assert len(shown.text) <= room
    if wanted and len(wanted) <= room / 2 - 1:
        assert marked(shown) == [wanted]
    assert shown.text.strip(ELLIPSIS) in text or ELLIPSIS in text
