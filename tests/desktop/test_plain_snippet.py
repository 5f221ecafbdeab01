"""What a search has found, without the marks of markdown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop.conversations.plain_snippet import without_marks
from runtime.values.chat import Snippet, TextRange


def plain(text: str) -> str:
    return without_marks(Snippet(text, ())).text


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("# Key–value cache, *explained*", "Key–value cache, explained"),
        ("The **KV cache** and `attention()`", "The KV cache and attention()"),
        ("__very__ ~~wrong~~ _so_", "very wrong so"),
        ("```python def f(): pass```", "python def f(): pass"),
        (
            "2*3 = 6, 2 * 3 = 6, snake_case_name, __init__.py is C#",
            "2*3 = 6, 2 * 3 = 6, snake_case_name, init.py is C#",
        ),
        ("issue #12", "issue #12"),
    ],
)
def test_marks_are_left_out_and_what_only_looks_like_them_stays(source: str, shown: str) -> None:
    assert plain(source) == shown


def test_what_was_searched_for_stays_whole() -> None:
    text = "of **bold** text"
    found = without_marks(Snippet(text, (TextRange(3, 7),)))
    assert [found.text[hit.start : hit.end] for hit in found.highlights] == ["**bo"]
    assert found.text == "of **bold text"


@given(st.text("ab*_#`~ \n", max_size=40), st.lists(st.integers(0, 40), max_size=6, unique=True).map(sorted))
def test_hits_cover_the_same_text(text: str, places: list[int]) -> None:
    inside = [place for place in places if place <= len(text)]
    hits = tuple(TextRange(start, end) for start, end in zip(inside[::2], inside[1::2], strict=False))
    shown = without_marks(Snippet(text, hits))
    assert [shown.text[hit.start : hit.end] for hit in shown.highlights] == [text[hit.start : hit.end] for hit in hits]
    assert len(shown.text) <= len(text)
