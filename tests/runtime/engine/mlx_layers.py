"""Layers of MLX's KV caches, filled as decoding fills them."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
from mlx_lm.models.cache import ArraysCache, KVCache, QuantizedKVCache, RotatingKVCache

from runtime.engine.mlx_cache import CacheLayer, KvCache

Attention = KVCache | QuantizedKVCache | RotatingKVCache

# mlx-lm's constructors have no types.
whole_context: Callable[[], KVCache] = KVCache
sliding_window: Callable[[int], RotatingKVCache] = RotatingKVCache
recurrent_state: Callable[[int], ArraysCache] = ArraysCache


def filled(layer: Attention, tokens: int) -> Attention:
    """Put `tokens` into the layer one by one: the n-th as a key and a value full of n."""
    update: Callable[[mx.array, mx.array], object] = layer.update_and_fetch
    for number in range(layer.offset, layer.offset + tokens):
        update(mx.full((1, 1, 1, 64), float(number)), mx.full((1, 1, 1, 64), float(number)))
    return layer


def numbers_in(layer: CacheLayer) -> list[float]:
    """Return which numbers `filled` has put into a layer, in order."""
    assert isinstance(layer, KVCache | RotatingKVCache)
    assert layer.keys is not None
    numbers: list[float] = layer.keys[0, 0, : layer.offset, 0].tolist()
    return sorted(numbers)


def state_in(layer: CacheLayer) -> float:
    """Return the one number of a recurrent state."""
    assert isinstance(layer, ArraysCache)
    return float(layer[0].item())


def cache_of(*layers: CacheLayer) -> KvCache:
    """Return a cache of these layers."""
    return KvCache(list(layers))
