"""What a KV cache holds, and how much of it can be used again."""

from __future__ import annotations

import mlx.core as mx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlx_lm.models.cache import QuantizedKVCache

from runtime.engine.mlx_cache import KvCache
from tests.runtime.engine.mlx_layers import (
    Attention,
    cache_of,
    filled,
    numbers_in,
    recurrent_state,
    sliding_window,
    state_in,
    whole_context,
)

WINDOW = 4


def hybrid(tokens: int) -> tuple[KvCache, Attention]:
    """Return a cache of a window, a recurrent state and a whole context, with checkpoints after 3 and 6 tokens."""
    whole, window, state = whole_context(), sliding_window(WINDOW), recurrent_state(1)
    cache = cache_of(window, whole, state)
    cache.plan_checkpoints((3, 6))
    for number in range(tokens):
        filled(window, 1)
        filled(whole, 1)
        state[0] = mx.full((1, 1), number)
        cache.reached(number + 1)
    return cache, whole


def content(cache: KvCache) -> list[list[float]]:
    """Return which tokens each layer of `hybrid` holds."""
    window, whole, state = cache.layers
    return [numbers_in(window), numbers_in(whole), [state_in(state)]]


@given(before=st.integers(1, 9), tokens=st.integers(0, 9))
def test_cuts_keys_and_values_back_to_any_token(before: int, tokens: int) -> None:
    cache = cache_of(filled(whole_context(), before), filled(whole_context(), before))
    kept = min(before, tokens)
    assert cache.usable(tokens) == kept
    cache.cut_to(kept)
    assert cache.tokens == kept


def test_goes_on_with_a_window_that_has_slid_but_cannot_take_it_back() -> None:
    cache = cache_of(filled(sliding_window(WINDOW), 6), filled(whole_context(), 6))
    assert [cache.usable(tokens) for tokens in (4, 5, 6, 7)] == [0, 0, 6, 6]


def test_takes_a_window_back_that_has_not_slid() -> None:
    cache = cache_of(filled(sliding_window(WINDOW), 3))
    assert cache.usable(2) == 2
    cache.cut_to(2)
    assert cache.tokens == 2


def test_goes_back_to_checkpoints_where_layers_cannot_be_cut() -> None:
    cache, _ = hybrid(9)
    assert [cache.usable(tokens) for tokens in (2, 3, 5, 6, 8, 9)] == [0, 3, 3, 6, 6, 9]
    cache.cut_to(6)
    assert cache.tokens == 6
    assert content(cache) == content(hybrid(6)[0])
    assert [cache.usable(tokens) for tokens in (5, 6)] == [3, 6]


def test_forks_at_a_checkpoint_and_leaves_the_original_as_it_is() -> None:
    cache, whole = hybrid(9)
    before = content(cache)
    fork = cache.fork(3)
    assert content(fork) == content(hybrid(3)[0])
    for layer in fork.layers[:2]:
        assert isinstance(layer, Attention)
        filled(layer, 2)
    assert content(cache) == before
    filled(whole, 1)
    assert fork.tokens == 5


def test_gives_up_the_room_ahead_when_it_is_forked() -> None:
    cache = cache_of(filled(whole_context(), 5), filled(QuantizedKVCache(64, 8), 5))
    fork = cache.fork(2)
    assert fork.nbytes * 256 == cache.nbytes * 2
    for layer in fork.layers:
        assert isinstance(layer, Attention)
        filled(layer, 3)
    assert numbers_in(fork.layers[0]) == numbers_in(cache.layers[0]) == [0, 1, 2, 3, 4]


def test_needs_no_checkpoints_where_everything_can_be_cut() -> None:
    cache = cache_of(filled(whole_context(), 9))
    cache.plan_checkpoints((3, 6))
    assert cache.next_stop(0, 9) == 9


def test_stops_at_the_next_checkpoint_while_it_reads() -> None:
    cache = cache_of(sliding_window(WINDOW))
    cache.plan_checkpoints((3, 6))
    assert [cache.next_stop(start, 9) for start in (0, 2, 3, 6)] == [3, 3, 6, 9]


def test_a_state_that_does_not_count_its_tokens_goes_back_to_where_it_is_known() -> None:
    state = recurrent_state(1)
    cache = cache_of(state)
    cache.plan_checkpoints((4,))
    state[0] = mx.array([[4]])
    cache.reached(4)
    state[0] = mx.array([[7]])
    cache.settle()
    assert cache.tokens == cache.usable(9) == 4
    assert state_in(cache.layers[0]) == 4


def test_counts_the_tokens_of_a_hybrid_by_its_attention() -> None:
    assert cache_of(recurrent_state(2), filled(whole_context(), 5)).tokens == 5


def test_counts_what_checkpoints_take() -> None:
    cache, _ = hybrid(9)
    whole_bytes = cache.nbytes
    assert cache.drop_checkpoint()
    assert cache.nbytes < whole_bytes
    assert cache.usable(5) == 0
    assert cache.drop_checkpoint()
    assert not cache.drop_checkpoint()


@pytest.mark.parametrize("layer", [whole_context(), QuantizedKVCache(64, 8), sliding_window(WINDOW)])
def test_measures_itself(layer: Attention) -> None:
    cache = cache_of(layer)
    assert (cache.tokens, cache.nbytes) == (0, 0)
    filled(layer, 2)
    cache.evaluate()
    assert cache.tokens == 2
    assert cache.nbytes > 0
