"""Queries taken apart, ranges, snippets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.store.search_terms import MAX_TERMS, folded, ranges_of, snippet, terms_of
from runtime.values.chat import TextRange


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("", ()),
        ('  "" " " ', ()),
        ("kv cache KV", ("kv", "cache")),
        ('"kv  cache" x', ("kv cache", "x")),
        ('say "unfinished quote', ("say", "unfinished quote")),
        ('a"b c"d', ("a", "b c", "d")),
        ("推理 速度", ("推理", "速度")),
        ("NEAR(a b) -x* col:y", ("NEAR(a", "b)", "-x*", "col:y")),
        (" ".join(map(str, range(100))), tuple(map(str, range(MAX_TERMS)))),
    ],
)
def test_terms(query: str, terms: tuple[str, ...]) -> None:
    assert terms_of(query) == terms


@given(text=st.text())
def test_folding_keeps_every_character_in_its_place(text: str) -> None:
    assert len(folded(text)) == len(text)
    assert folded(text) == "".join(map(folded, text))


def test_ranges_are_in_order_merged_and_need_every_term() -> None:
    assert ranges_of("Cache the cache", ["cache"]) == [TextRange(0, 5), TextRange(10, 15)]
    assert ranges_of("abcdef", ["bcd", "cde", "f"]) == [TextRange(1, 6)]
    assert ranges_of("abc", ["abc", "x"]) is None


@given(before=st.text(max_size=300), term=st.text(min_size=1, max_size=30), after=st.text(max_size=300))
def test_a_snippet_shows_the_first_hit_on_one_line(before: str, term: str, after: str) -> None:
    text = before + term + after
    ranges = ranges_of(text, [term])
    assert ranges
    shown = snippet(text, ranges)

    assert shown.highlights
    first = shown.highlights[0]
    original = text[ranges[0].start : ranges[0].end]
    assert len(shown.text[first.start : first.end]) == first.end - first.start
    if ranges[0].end - ranges[0].start <= 100:
        assert shown.text[first.start : first.end].split() == original.split()
    assert "\n" not in shown.text
    assert all(0 <= each.start < each.end <= len(shown.text) for each in shown.highlights)
