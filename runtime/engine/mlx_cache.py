"""The KV cache of a conversation, and the one of the last conversation, kept for its next turn.

The offset of the cache's layers is the truth about what is in it: `generate_step` evaluates a token ahead of what it
hands out, and of a cancelled prompt only a part is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Protocol

import mlx.core as mx
import msgspec
from mlx.nn.layers.base import Module
from mlx_lm.models.cache import KVCache, QuantizedKVCache, can_trim_prompt_cache, make_prompt_cache, trim_prompt_cache

from runtime.library.fit import mlx_kv_group_size
from runtime.library.spec import ModelSpec
from runtime.values.errors import SettingsError

QUANTIZED_BITS = (4, 8)


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

    def empty(self) -> bool:
        """Return whether nothing has been evaluated yet."""
        ...


class KvCache:
    """What the model keeps of one conversation: an entry for each of its layers."""

    def __init__(self, layers: list[CacheLayer]) -> None:
        self.layers = layers

    @property
    def tokens(self) -> int:
        """How many tokens are in it; 0 where no layer counts them (pure state-space models)."""
        offsets = (getattr(layer, "offset", None) for layer in self.layers)
        return next((offset for offset in offsets if isinstance(offset, int)), 0)

    @property
    def nbytes(self) -> int:
        """What it takes in memory, the room it has ahead included."""
        return sum(layer.nbytes for layer in self.layers if not layer.empty())

    def evaluate(self) -> None:
        """Wait until everything in it is computed."""
        mx.eval([layer.state for layer in self.layers])

    def cut_to(self, tokens: int) -> bool:
        """Forget what comes after the first `tokens`; return whether that is how much it holds now.

        A recurrent state and a sliding window that has slid cannot be cut. On False the cache is not usable any more.
        """
        surplus = self.tokens - tokens
        if surplus > 0 and can_trim_prompt_cache(self.layers):
            trim_prompt_cache(self.layers, surplus)
        return self.tokens == tokens


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


class ConversationCache:
    """Keeps the cache of the conversation that ended last.

    A request takes it out and puts it back, so two requests never share one. Only one is kept: a request that has no
    use for it drops it before it takes memory of its own.
    """

    def __init__(self, new: Callable[[], KvCache]) -> None:
        self._new = new
        self._kept: KvCache | None = None
        self._kept_tokens: Sequence[int] = ()

    @property
    def nbytes(self) -> int:
        """What the kept cache takes in memory."""
        return self._kept.nbytes if self._kept else 0

    def take(self, prompt: Sequence[int], *, reuse: bool) -> tuple[KvCache, int]:
        """Return a cache for `prompt` and how many tokens of the prompt it already holds.

        At least the last token of the prompt is never among them: evaluating it gives the first token of the reply.
        """
        kept, self._kept = self._kept, None
        if kept is not None and reuse:
            shared = min(_common_prefix(self._kept_tokens, prompt), len(prompt) - 1)
            if shared > 0 and kept.cut_to(shared):
                return kept, shared
        return self._new(), 0

    def keep(self, cache: KvCache, evaluated: Sequence[int]) -> None:
        """Keep `cache`, into which `evaluated` went: prompt and generated tokens, of which it may hold fewer."""
        if 0 < cache.tokens <= len(evaluated):
            self._kept, self._kept_tokens = cache, tuple(evaluated[: cache.tokens])

    def clear(self) -> None:
        """Forget the conversation."""
        self._kept, self._kept_tokens = None, ()


def _common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
