"""Which turns are sent: the prompt fits, ends in the newest turn, and begins as it did until it is full."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from runtime.client.truncation import (
    FREED_SHARE,
    MOST_RESERVED_TOKENS,
    Turn,
    first_sent_turn,
    reply_reserve_tokens,
)

ROOM_TOKENS = 1000
TURNS = st.lists(
    st.builds(Turn, st.integers(1, 400), st.integers(0, 400)),
    min_size=1,
    max_size=40,
)
FIXED = st.integers(0, 300)


def _asked(turns: list[Turn]) -> list[Turn]:
    """Return the turns as they are when the last of them is asked."""
    return [*turns[:-1], Turn(turns[-1].question_tokens)]


def _sent_tokens(turns: list[Turn], first: int, fixed_tokens: int) -> int:
    return fixed_tokens + sum(turn.tokens for turn in turns[first:])


@given(turns=TURNS, fixed_tokens=FIXED)
def test_what_is_sent_fits_and_always_holds_the_newest_turn(turns: list[Turn], fixed_tokens: int) -> None:
    first = first_sent_turn(turns, fixed_tokens, ROOM_TOKENS)

    assert 0 <= first < len(turns)
    is_alone = first == len(turns) - 1
    assert is_alone or _sent_tokens(turns, first, fixed_tokens) <= ROOM_TOKENS


@given(turns=TURNS, fixed_tokens=FIXED)
def test_nothing_is_dropped_while_everything_fits(turns: list[Turn], fixed_tokens: int) -> None:
    assume(_sent_tokens(turns, 0, fixed_tokens) <= ROOM_TOKENS)

    assert first_sent_turn(turns, fixed_tokens, ROOM_TOKENS) == 0


@given(turns=TURNS, fixed_tokens=FIXED)
def test_each_prompt_begins_like_the_one_before_until_it_is_full(turns: list[Turn], fixed_tokens: int) -> None:
    """So the KV cache serves it; a prompt that begins differently is one that did not fit as it was."""
    first = 0
    for count in range(1, len(turns) + 1):
        asked = _asked(turns[:count])
        now = first_sent_turn(asked, fixed_tokens, ROOM_TOKENS)
        if now != first:
            assert now > first, "what was dropped comes back only with a longer context"
            assert _sent_tokens(asked, first, fixed_tokens) > ROOM_TOKENS
        first = now


@given(turns=TURNS, fixed_tokens=FIXED)
def test_a_drop_frees_a_good_share_of_the_room_or_leaves_the_newest_turn_alone(
    turns: list[Turn], fixed_tokens: int
) -> None:
    first = 0
    for count in range(1, len(turns) + 1):
        now = first_sent_turn(_asked(turns[:count]), fixed_tokens, ROOM_TOKENS)
        if now not in (first, count - 1):
            freed = sum(turn.tokens for turn in turns[first:now])
            assert freed >= FREED_SHARE * (ROOM_TOKENS - fixed_tokens)
        first = now


@given(turns=TURNS, fixed_tokens=FIXED, longer=st.integers(0, 20_000))
def test_a_context_that_holds_everything_brings_everything_back(
    turns: list[Turn], fixed_tokens: int, longer: int
) -> None:
    everything = _sent_tokens(turns, 0, fixed_tokens)

    assert first_sent_turn(turns, fixed_tokens, everything + longer) == 0


def test_of_equal_turns_one_prompt_in_many_misses_the_cache() -> None:
    turns = [Turn(20, 30)] * 200

    firsts = [first_sent_turn(_asked(turns[:count]), 50, ROOM_TOKENS) for count in range(1, 201)]

    misses = sum(now != before for before, now in pairwise(firsts))
    assert misses == 19, "every tenth turn or so; dropping only what has to go would miss on 180"


def test_a_reply_that_went_on_after_a_drop_is_followed_by_the_same_beginning() -> None:
    turns = [*[Turn(50, 50)] * 8, Turn(50, 160)]

    going_on = first_sent_turn(turns, 0, ROOM_TOKENS)
    following = first_sent_turn([*turns[:-1], Turn(50, 260), Turn(20)], 0, ROOM_TOKENS)

    assert going_on == following == 5


def test_a_prompt_leaves_an_eighth_of_the_context_for_the_reply_up_to_a_bound() -> None:
    assert reply_reserve_tokens(256) == 32
    assert reply_reserve_tokens(4096) == 512
    assert reply_reserve_tokens(131_072) == MOST_RESERVED_TOKENS
