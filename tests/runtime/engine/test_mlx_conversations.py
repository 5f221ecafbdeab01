"""Which conversations stay warm, and what each of them saves the next prompt."""

from __future__ import annotations

from itertools import takewhile

import mlx.core as mx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.engine.common_prefix import common_prefix
from runtime.engine.mlx_cache import KvCache
from runtime.engine.mlx_conversations import (
    CHECKPOINT_DISTANCE_TOKENS,
    NEGLIGIBLE_TOKENS,
    WarmConversations,
    checkpoint_places,
    default_kv_budget_bytes,
)
from runtime.library.fit import MemoryNeed
from tests.runtime.engine.mlx_layers import Attention, cache_of, filled, recurrent_state, state_in, whole_context

TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=12)
TOKEN_BYTES = 2 * 64 * 4
STEP_BYTES = 256 * TOKEN_BYTES
"""A layer allocates for 256 tokens at once."""
END = 99


def conversations(budget_bytes: int = 10**9) -> WarmConversations:
    return WarmConversations(
        lambda: cache_of(whole_context()), budget_bytes, lambda tokens: tokens * TOKEN_BYTES, frozenset({END})
    )


def say(warm: WarmConversations, *tokens: int) -> int:
    """Have a conversation read all of `tokens`; return how many of them were cached."""
    cache, cached_tokens, _ = warm.take((*tokens, 0), reuse=True)
    read_on(cache, len(tokens))
    warm.keep(cache, (*tokens, 0))
    return cached_tokens


def read_on(cache: KvCache, tokens: int) -> None:
    for layer in cache.layers:
        assert isinstance(layer, Attention)
        filled(layer, tokens - layer.offset)


def numbered(start: int, count: int) -> tuple[int, ...]:
    return tuple(range(start, start + count))


@given(kept=TOKENS, ahead=st.integers(0, 2), prompt=TOKENS)
def test_uses_what_two_conversations_share_but_for_the_last_token(
    kept: list[int], ahead: int, prompt: list[int]
) -> None:
    warm = conversations()
    cache = cache_of(filled(whole_context(), len(kept)), filled(whole_context(), len(kept)))
    # More tokens came out than the cache holds.
    warm.keep(cache, kept + [7] * ahead)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(kept, prompt, strict=False)))
    expected = min(shared, len(prompt) - 1)
    taken, cached_tokens, _ = warm.take(prompt, reuse=True)
    assert cached_tokens == expected == taken.tokens
    assert (taken is cache) == (expected > 0)


@given(
    one=st.lists(st.integers(0, 1), max_size=1200), other=st.lists(st.integers(0, 1), max_size=30), cut=st.integers(0)
)
def test_finds_where_two_sequences_part(one: list[int], other: list[int], cut: int) -> None:
    branch = one[: cut % (len(one) + 1)] + other
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, branch, strict=False)))
    assert common_prefix(tuple(one), tuple(branch)) == shared


def test_lends_a_cache_to_one_request_only() -> None:
    warm = conversations()
    say(warm, 1, 2, 3)
    taken, cached_tokens, _ = warm.take([1, 2, 3, 4], reuse=True)
    assert cached_tokens == 3
    assert warm.take([1, 2, 3, 4], reuse=True)[1] == 0
    assert warm.nbytes == 0
    warm.keep(taken, [1, 2, 3, 4])
    assert warm.nbytes == taken.nbytes > 0


def test_keeps_several_conversations_warm() -> None:
    warm = conversations()
    for start in (100, 200, 300):
        assert say(warm, *numbered(start, 50)) == 0
    assert [say(warm, *numbered(start, 50), 7) for start in (100, 200, 300)] == [50, 50, 50]


def test_gives_up_the_conversation_used_least_recently() -> None:
    warm = conversations(2 * STEP_BYTES)
    say(warm, 1, 1)
    say(warm, 2, 2)
    say(warm, 1, 1, 1)
    say(warm, 3, 3)
    assert [kept.tokens[0] for kept in warm.kept] == [1, 3]
    assert warm.nbytes <= 2 * STEP_BYTES


def test_keeps_the_last_conversation_whatever_it_takes() -> None:
    warm = conversations(0)
    say(warm, 1, 2, 3)
    assert say(warm, 1, 2, 3, 4) == 3


def test_makes_room_before_a_prompt_is_read() -> None:
    warm = conversations(2 * STEP_BYTES)
    say(warm, 1, 1)
    say(warm, 2, 2)
    warm.take(numbered(100, 300), reuse=True)
    assert warm.nbytes <= 2 * STEP_BYTES - 300 * TOKEN_BYTES
    warm.take(numbered(1000, 512), reuse=True)
    assert warm.nbytes == 0


def test_the_way_back_from_an_edit_is_warm() -> None:
    warm = conversations()
    asked, replied = numbered(100, 60), numbered(200, 60)
    say(warm, *asked, *replied)
    assert say(warm, *asked, *numbered(300, 60)) == 60
    assert say(warm, *asked, *replied, 7) == 120


def test_a_branch_that_was_left_goes_before_another_conversation() -> None:
    warm = conversations(3 * STEP_BYTES)
    say(warm, *numbered(1000, 50))
    say(warm, *numbered(100, 120))
    say(warm, *numbered(100, 80), *numbered(200, 50))
    assert say(warm, *numbered(1000, 50), 7) == 50
    assert say(warm, *numbered(100, 80), *numbered(200, 50), 7) == 130


def test_copies_nothing_for_the_sake_of_a_few_tokens() -> None:
    warm = conversations()
    say(warm, *numbered(100, 60))
    say(warm, *numbered(100, 60 - NEGLIGIBLE_TOKENS), 7)
    assert len(warm.kept) == 1


def test_what_a_longer_conversation_holds_is_not_kept_twice() -> None:
    warm = conversations()
    asked = numbered(100, 60)
    say(warm, *asked, *numbered(200, 60))
    say(warm, *asked, *numbered(300, 60))
    say(warm, *asked, *numbered(300, 60), 8)
    assert len(warm.kept) == 2


def test_begins_afresh_when_told_to() -> None:
    warm = conversations()
    say(warm, 1, 2, 3)
    taken, cached_tokens, _ = warm.take([1, 2, 3, 4], reuse=False)
    assert (taken.tokens, cached_tokens, warm.nbytes) == (0, 0, 0)


def test_keeps_no_state_that_does_not_count_its_tokens_and_was_never_at_a_known_place() -> None:
    warm = conversations()
    warm.keep(cache_of(recurrent_state(2)), [1, 2, 3])
    assert warm.kept == ()


def test_keeps_a_state_from_where_a_message_ended() -> None:
    state = recurrent_state(1)
    warm = WarmConversations(lambda: cache_of(state), 10**9, lambda _: 0, frozenset({END}))
    prompt = (1, 2, END, 5, 6)
    cache, _, _ = warm.take(prompt, reuse=True)
    assert cache.next_stop(0, 4) == 3
    for place in (3, 4):
        state[0] = mx.full((1, 1), place)
        cache.reached(place)
    state[0] = mx.full((1, 1), 9)
    warm.keep(cache, (*prompt, 7, 8))
    assert [kept.tokens for kept in warm.kept] == [prompt[:4]]
    again, cached_tokens, _ = warm.take((1, 2, END, 8, 8), reuse=True)
    assert cached_tokens == 3
    assert state_in(again.layers[0]) == 3


def test_gives_up_checkpoints_that_one_conversation_alone_cannot_afford() -> None:
    state = recurrent_state(1)
    warm = WarmConversations(lambda: cache_of(state), 8, lambda _: 0, frozenset({END}))
    prompt = (1, 2, END, 5, 6)
    cache, _, _ = warm.take(prompt, reuse=True)
    for place in (3, 4):
        state[0] = mx.full((1, 1), place)
        cache.reached(place)
    warm.keep(cache, prompt)
    assert warm.nbytes == 8
    assert warm.take((1, 2, END, 8, 8), reuse=True)[1] == 0


def test_checkpoints_are_where_messages_end_and_where_the_reply_begins() -> None:
    assert checkpoint_places((5, END, 6, 7, END, 8, 9), {END}) == (5, 6)
    long = (*[1] * CHECKPOINT_DISTANCE_TOKENS, END, *[2] * CHECKPOINT_DISTANCE_TOKENS, END, 3, 4)
    assert checkpoint_places(long, {END}) == (257, 514, 515)
    assert checkpoint_places((5,), {END}) == ()
    assert len(checkpoint_places(tuple([END, *[1] * 300] * 100), {END})) == 16


@pytest.mark.parametrize(("usable_bytes", "spare_bytes"), [(0, 0), (1000, 0), (5000, 1000), (10**15, 8 << 30)])
def test_the_budget_is_a_full_context_and_a_share_of_what_is_spare(usable_bytes: int, spare_bytes: int) -> None:
    need = MemoryNeed(
        context_tokens=1, weights_bytes=600, kv_cache_bytes=200, recurrent_state_bytes=50, overhead_bytes=150
    )
    assert default_kv_budget_bytes(need, usable_bytes) == 250 + spare_bytes
