"""Tooltips are broken into lines, and lose nothing by it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from desktop.widgets.tool_tip import LINE_CHARACTERS, in_lines

words = st.lists(st.text("abcdé漢", min_size=1, max_size=LINE_CHARACTERS), max_size=30).map(" ".join)


@given(st.lists(words, max_size=4).map("\n".join))
def test_lines_are_short_and_hold_every_word(text: str) -> None:
    shown = in_lines(text)
    assert shown.split() == text.split()
    assert all(len(line) <= LINE_CHARACTERS for line in shown.split("\n"))
    assert in_lines(shown) == shown


def test_paragraphs_stay_apart() -> None:
    assert in_lines("39.2 tok/s\n\nTokens written per second.") == "39.2 tok/s\n\nTokens written per second."
