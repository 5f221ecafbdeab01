"""Stop strings cut a stream where the definition says, however the text is cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.engine.stop_strings import StopStringMatcher

# Few letters, so that stop strings overlap themselves, each other and the borders of the pieces.
TEXTS = st.text("ab<é", max_size=40)
STOP_SETS = st.lists(st.text("ab<é", max_size=5), max_size=4)
PIECES = st.lists(TEXTS, max_size=8)


def cut(text: str, stop_strings: list[str]) -> str | None:
    """The definition, spelled out: `text` before the match that completes first, or None without a match."""
    matches = [
        (end, end - len(stop))
        for stop in stop_strings
        if stop
        for end in range(len(stop), len(text) + 1)
        if text[:end].endswith(stop)
    ]
    return text[: min(matches)[1]] if matches else None


def longest_open_suffix(text: str, stop_strings: list[str]) -> int:
    return max(
        (
            size
            for stop in stop_strings
            for size in range(len(stop))
            if size <= len(text) and text.endswith(stop[:size])
        ),
        default=0,
    )


@given(PIECES, STOP_SETS)
@example(["aab"], ["aab", "ab"])
@example(["ab", "ab", "c"], ["abab<"])
def test_shows_what_the_definition_says_for_every_chunking(pieces: list[str], stop_strings: list[str]) -> None:
    matcher = StopStringMatcher(stop_strings)
    results = [matcher.feed(piece) for piece in pieces]
    shown = "".join(text for text, _ in results) + matcher.flush()
    whole = "".join(pieces)
    expected = cut(whole, stop_strings)
    assert shown == (whole if expected is None else expected)
    assert any(stopped for _, stopped in results) == (expected is not None)


@given(PIECES, STOP_SETS)
def test_holds_back_only_what_may_become_a_stop_string(pieces: list[str], stop_strings: list[str]) -> None:
    matcher = StopStringMatcher(stop_strings)
    fed = shown = ""
    for piece in pieces:
        text, stopped = matcher.feed(piece)
        fed, shown = fed + piece, shown + text
        if stopped:
            break
        assert len(fed) - len(shown) == longest_open_suffix(fed, stop_strings)


@given(PIECES, STOP_SETS)
def test_the_match_is_reported_by_the_piece_that_completes_it(pieces: list[str], stop_strings: list[str]) -> None:
    matcher = StopStringMatcher(stop_strings)
    fed = ""
    for piece in pieces:
        fed += piece
        assert matcher.feed(piece)[1] == (cut(fed, stop_strings) is not None)


@pytest.mark.parametrize(
    ("stop_strings", "text", "shown"),
    [
        (["stop"], "please stop now", "please "),
        (["abcd", "bc"], "abcd", "a"),
        (["bc", "abc"], "xabc", "x"),
        (["", "end"], "the end", "the "),
        ([""], "all of it", "all of it"),
        (["\n\n"], "one\ntwo\n\nthree", "one\ntwo"),
        (["🙂"], "fine 🙂 end", "fine "),
    ],
)
def test_cuts_before_the_first_match(stop_strings: list[str], text: str, shown: str) -> None:
    matcher = StopStringMatcher(stop_strings)
    assert matcher.feed(text)[0] + matcher.flush() == shown


def test_is_silent_after_a_match() -> None:
    matcher = StopStringMatcher(["."])
    assert matcher.feed("One. Two") == ("One", True)
    assert matcher.feed("Three") == ("", True)
    assert matcher.flush() == ""


def test_a_long_near_miss_takes_one_pass() -> None:
    near_miss = "a" * 1_000 + "b"
    matcher = StopStringMatcher([near_miss])
    shown = "".join(matcher.feed("a")[0] for _ in range(20_000))
    assert shown == "a" * 19_000
    assert matcher.flush() == "a" * 1_000
