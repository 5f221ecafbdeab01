"""What a KV cache holds, and how much of it the next prompt can use."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

import mlx.core as mx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlx_lm.models.cache import ArraysCache, KVCache, QuantizedKVCache, RotatingKVCache

from runtime.engine.mlx_cache import CacheLayer, ConversationCache, KvCache

TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=12)
WINDOW = 4
Attention = KVCache | QuantizedKVCache | RotatingKVCache

# mlx-lm's constructors have no types.
whole_context: Callable[[], KVCache] = KVCache
sliding_window: Callable[[int], RotatingKVCache] = RotatingKVCache


def filled(layer: Attention, tokens: int) -> Attention:
    """Put `tokens` into the layer one by one, as decoding does."""
    update: Callable[[mx.array, mx.array], object] = layer.update_and_fetch
    for _ in range(tokens):
        update(mx.zeros((1, 1, 1, 64)), mx.zeros((1, 1, 1, 64)))
    return layer


def cache_of(*layers: CacheLayer) -> KvCache:
    return KvCache(list(layers))


def conversations() -> ConversationCache:
    return ConversationCache(lambda: cache_of(whole_context()))


@given(kept=TOKENS, ahead=st.integers(0, 2), prompt=TOKENS)
def test_uses_what_two_conversations_share_but_for_the_last_token(
    kept: list[int], ahead: int, prompt: list[int]
) -> None:
    store = conversations()
    cache = cache_of(filled(whole_context(), len(kept)), filled(whole_context(), len(kept)))
    # More tokens came out than the cache holds.
    store.keep(cache, kept + [7] * ahead)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(kept, prompt, strict=False)))
    expected = min(shared, len(prompt) - 1)
    taken, cached_tokens = store.take(prompt, reuse=True)
    assert cached_tokens == expected == taken.tokens
    assert (taken is cache) == (expected > 0)


def test_lends_a_cache_to_one_request_only() -> None:
    store = conversations()
    cache = cache_of(filled(whole_context(), 3))
    store.keep(cache, [1, 2, 3])
    assert store.nbytes == cache.nbytes > 0
    assert store.take([1, 2, 3, 4], reuse=True) == (cache, 3)
    assert store.take([1, 2, 3, 4], reuse=True)[1] == 0
    assert store.nbytes == 0


def test_drops_the_old_conversation_before_a_new_one_takes_memory() -> None:
    store = conversations()
    store.keep(cache_of(filled(whole_context(), 3)), [1, 2, 3])
    assert store.take([9, 2, 3], reuse=True)[1] == 0
    assert store.nbytes == 0


def test_begins_afresh_when_told_to() -> None:
    store = conversations()
    store.keep(cache_of(filled(whole_context(), 3)), [1, 2, 3])
    taken, cached_tokens = store.take([1, 2, 3, 4], reuse=False)
    assert (taken.tokens, cached_tokens) == (0, 0)


def test_forgets() -> None:
    store = conversations()
    store.keep(cache_of(filled(whole_context(), 3)), [1, 2, 3])
    store.clear()
    assert store.take([1, 2, 3, 4], reuse=True)[1] == 0


def test_goes_on_with_a_window_that_has_slid_but_cannot_take_it_back() -> None:
    store = conversations()
    sliding = cache_of(filled(sliding_window(WINDOW), 6), filled(whole_context(), 6))
    store.keep(sliding, [1, 2, 3, 4, 5, 6])
    assert store.take([1, 2, 3, 4, 5, 6, 7], reuse=True) == (sliding, 6)
    store.keep(sliding, [1, 2, 3, 4, 5, 6])
    assert store.take([1, 2, 3, 4, 5, 7], reuse=True)[1] == 0


def test_takes_a_window_back_that_has_not_slid() -> None:
    store = conversations()
    resting = cache_of(filled(sliding_window(WINDOW), 3))
    store.keep(resting, [1, 2, 3])
    assert store.take([1, 2, 9], reuse=True) == (resting, 2)


def test_keeps_no_state_that_does_not_count_its_tokens() -> None:
    store = conversations()
    store.keep(cache_of(ArraysCache(2)), [1, 2, 3])
    assert store.take([1, 2, 3, 4], reuse=True)[1] == 0


def test_counts_the_tokens_of_a_hybrid_by_its_attention() -> None:
    assert cache_of(ArraysCache(2), filled(whole_context(), 5)).tokens == 5


@pytest.mark.parametrize("layer", [whole_context(), QuantizedKVCache(64, 8), sliding_window(WINDOW)])
def test_measures_itself(layer: Attention) -> None:
    cache = cache_of(layer)
    assert (cache.tokens, cache.nbytes) == (0, 0)
    filled(layer, 2)
    cache.evaluate()
    assert cache.tokens == 2
    assert cache.nbytes > 0
