"""Titles, and text that a database can hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.store.stored_text import AUTOMATIC_TITLE_CHARACTERS, automatic_title, storable, title_line

ANY_TEXT = st.text(alphabet=st.characters(), max_size=100)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("", ""),
        ("\n ** \n--\n", ""),
        ("# Heading\nmore", "Heading"),
        ("```\ncode = 1", "code = 1"),
        ("- [ ] buy  milk", "[ ] buy milk"),
        ("推理为什么慢。", "推理为什么慢。"),
        ("word " * 40, "word word word word word word word word word word word…"),
        ("x" * 100, "x" * 59 + "…"),
    ],
)
def test_automatic_title(text: str, title: str) -> None:
    assert automatic_title(text) == title


@given(text=ANY_TEXT)
def test_titles_are_one_short_line(text: str) -> None:
    for title in (automatic_title(text), title_line(text)):
        assert title == " ".join(title.split())
    assert len(automatic_title(text)) <= AUTOMATIC_TITLE_CHARACTERS


@given(text=ANY_TEXT)
def test_storable_text_can_be_encoded_and_keeps_its_length(text: str) -> None:
    kept = storable(text)
    kept.encode()
    assert len(kept) == len(text)
    assert all(new in {old, "\ufffd"} for new, old in zip(kept, text, strict=True))
