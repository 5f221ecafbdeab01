"""The KV cache of one conversation: cutting it back, forking it, and going back where it cannot be cut.

The offset of the cache's layers is the truth about what is in it: `generate_step` evaluates a token ahead of what it
hands out, and of a cancelled prompt only a part is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import mlx.core as mx
import msgspec
from mlx.nn.layers.base import Module
from mlx.utils import tree_map
from mlx_lm.models.cache import (
    CacheList,
    ChunkedKVCache,
    ConcatenateKVCache,
    KVCache,
    QuantizedKVCache,
    can_trim_prompt_cache,
    make_prompt_cache,
    trim_prompt_cache,
)

from runtime.library.fit import mlx_kv_group_size
from runtime.library.spec import ModelSpec
from runtime.values.errors import SettingsError

QUANTIZED_BITS = (4, 8)
WHOLE_CONTEXT = frozenset({KVCache, QuantizedKVCache, ConcatenateKVCache})
MOST_CHECKPOINTS = 16
"""Of a conversation; those that came first go first."""


class KvQuantization(msgspec.Struct, frozen=True):
    """How keys and values are quantized: bits of an element, and how many elements of a head share a scale."""

    bits: int
    group_size: int


class CacheLayer(Protocol):
    """What mlx-lm keeps for one layer of the model."""

    @property
    def state(self) -> object:
        """Everything in it, for `mx.eval`."""
        ...

    @property
    def nbytes(self) -> int:
        """Its size; only for one that is not empty."""
        ...

    @classmethod
    def from_state(cls, state: object) -> CacheLayer:
        """Return a layer with that `state`; the rare kind that lacks this is never copied."""
        ...

    def empty(self) -> bool:
        """Return whether nothing has been evaluated yet."""
        ...


class Checkpoint(NamedTuple):
    """What the layers that cannot be cut back held after the first `tokens`, by their index."""

    tokens: int
    layers: dict[int, CacheLayer]

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return _nbytes(self.layers.values())


class KvCache:
    """What the model keeps of one conversation: an entry for each of its layers.

    Keys and values of the whole context can be cut back to any token. A recurrent state and a window that slides
    cannot, so what they held is kept at chosen places, to go back to; the rest is cut back to the same place.
    """

    def __init__(self, layers: list[CacheLayer], checkpoints: Sequence[Checkpoint] = ()) -> None:
        self.layers = layers
        self._checkpoints = list(checkpoints)
        self._planned: tuple[int, ...] = ()
        self._fixed = [index for index, layer in enumerate(layers) if not cuts_anywhere(layer)]
        self._position = 0

    @property
    def tokens(self) -> int:
        """How many tokens are in it; where no layer counts them (pure state-space models), those last gone back to."""
        offsets = (getattr(layer, "offset", None) for layer in self.layers)
        return next((offset for offset in offsets if isinstance(offset, int)), self._position)

    @property
    def nbytes(self) -> int:
        """What it takes in memory, the room it has ahead included."""
        return _nbytes(self.layers) + sum(checkpoint.nbytes for checkpoint in self._checkpoints)

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """What it can go back to, the first place first."""
        return tuple(self._checkpoints)

    @property
    def can_fork(self) -> bool:
        """Whether every layer can be rebuilt from its state."""
        return all(hasattr(layer, "from_state") for layer in self.layers)

    def evaluate(self) -> None:
        """Wait until everything in it is computed."""
        mx.eval([layer.state for layer in self.layers])

    def plan_checkpoints(self, places: Sequence[int]) -> None:
        """Keep a checkpoint when the prompt has been read up to each of `places`, if any layer needs that."""
        self._planned = tuple(sorted(places)) if self._fixed and self.can_fork else ()

    def next_stop(self, start: int, end: int) -> int:
        """Return how far to read from `start` on, at most to `end`, to come by the next planned checkpoint."""
        return next((place for place in self._planned if start < place < end), end)

    def reached(self, tokens: int) -> None:
        """Note that exactly the first `tokens` are in it."""
        self._position = tokens
        if tokens in self._planned and all(checkpoint.tokens != tokens for checkpoint in self._checkpoints):
            kept = {index: clone(self.layers[index]) for index in self._fixed}
            self._checkpoints = [*self._checkpoints, Checkpoint(tokens, kept)][-MOST_CHECKPOINTS:]

    def drop_checkpoint(self) -> bool:
        """Forget the oldest checkpoint; return whether there was one."""
        dropped, self._checkpoints = self._checkpoints[:1], self._checkpoints[1:]
        return bool(dropped)

    def usable(self, tokens: int) -> int:
        """Return to how many of the first `tokens` it can be cut."""
        if tokens >= self.tokens:
            return self.tokens
        if self.can_cut:
            return tokens
        return max((checkpoint.tokens for checkpoint in self._checkpoints if checkpoint.tokens <= tokens), default=0)

    def cut_to(self, tokens: int) -> None:
        """Forget what comes after the first `tokens`, for which `usable` returns the same number."""
        if tokens < self.tokens and self.can_cut:
            trim_prompt_cache(self.layers, self.tokens - tokens)
        elif tokens < self.tokens or not self.counts:
            self._go_back(tokens)
        self._checkpoints = [checkpoint for checkpoint in self._checkpoints if checkpoint.tokens <= tokens]
        self._position = tokens

    def fork(self, tokens: int) -> KvCache:
        """Return a cache of the first `tokens`, for which `usable` returns the same number; this one stays as it is.

        Both share memory until either is written to.
        """
        other = KvCache([clone(layer) for layer in self.layers], self._checkpoints)
        other._position = self._position
        other.cut_to(tokens)
        other.compact()
        return other

    def compact(self) -> None:
        """Give up the room ahead."""
        for layer in self.layers:
            compact_layer(layer)

    @property
    def counts(self) -> bool:
        """Whether a layer tells how many tokens are in it."""
        return any(isinstance(getattr(layer, "offset", None), int) for layer in self.layers)

    def settle(self) -> None:
        """Go back to the last checkpoint if no layer tells what has come since."""
        if not self.counts:
            self.cut_to(self._checkpoints[-1].tokens if self._checkpoints else 0)

    @property
    def can_cut(self) -> bool:
        """Whether it can be cut back to any token as it is now."""
        sliding_back = any(isinstance(self.layers[index], ChunkedKVCache) for index in self._fixed)
        return not sliding_back and bool(can_trim_prompt_cache(self.layers))

    def _go_back(self, tokens: int) -> None:
        surplus = self.tokens - tokens
        kept = next((one.layers for one in self._checkpoints if one.tokens == tokens), None)
        if kept is None:
            self._position = 0
            return
        trim_prompt_cache([layer for index, layer in enumerate(self.layers) if index not in kept], surplus)
        for index, layer in kept.items():
            self.layers[index] = clone(layer)


def cuts_anywhere(layer: CacheLayer) -> bool:
    """Return whether a layer keeps keys and values of the whole context, and so can always be cut back."""
    parts: Sequence[CacheLayer] = layer.caches if isinstance(layer, CacheList) else (layer,)
    return all(type(part) in WHOLE_CONTEXT for part in parts)


def clone(layer: CacheLayer) -> CacheLayer:
    """Return a layer with the same content, which shares memory with `layer` until either is written to."""
    rebuild: Callable[[object], CacheLayer] = type(layer).from_state
    return rebuild(tree_map(lambda part: part[...] if isinstance(part, mx.array) else part, layer.state))


def compact_layer(layer: CacheLayer) -> None:
    """Cut off what a layer of keys and values has allocated ahead."""
    parts: Sequence[CacheLayer] = layer.caches if isinstance(layer, CacheList) else (layer,)
    for part in parts:
        if isinstance(part, KVCache | QuantizedKVCache) and part.keys is not None:
            end = part.offset
            part.keys, part.values = tree_map(lambda array, end=end: array[..., :end, :], (part.keys, part.values))


def _nbytes(layers: Iterable[CacheLayer]) -> int:
    return sum(layer.nbytes for layer in layers if not layer.empty())


def kv_quantization(spec: ModelSpec, bits: int | None) -> KvQuantization | None:
    """Return how to quantize the KV cache of a model to `bits`; None where that is not asked for.

    Raises:
        SettingsError: MLX has no such width, or the model's heads cannot be split into groups.
    """
    if bits is None:
        return None
    if bits not in QUANTIZED_BITS:
        raise SettingsError(f"A KV cache of {bits} bits does not exist.", "Choose 4 or 8 bits, or none.")
    group_size = mlx_kv_group_size(spec)
    if group_size is None:
        what = f"The KV cache of {spec.name} cannot be quantized."
        raise SettingsError(what, "Load it without KV cache quantization.")
    return KvQuantization(bits, group_size)


def new_cache(model: Module, quantization: KvQuantization | None) -> KvCache:
    """Return an empty cache for `model`.

    Layers with a cache of their own kind (sliding windows, recurrent states) are never quantized.
    """
    layers: list[CacheLayer] = make_prompt_cache(model)
    if quantization is None:
        return KvCache(layers)
    bits, group_size = quantization.bits, quantization.group_size
    return KvCache([QuantizedKVCache(group_size, bits) if type(layer) is KVCache else layer for layer in layers])
