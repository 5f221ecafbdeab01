"""Which contexts and which widths of KV cache a model can be loaded with, and the context it gets without a choice."""

from __future__ import annotations

from runtime.library.fit import (
    UNSTATED_CONTEXT_TOKENS,
    choose_context,
    kv_cache_bytes,
    largest_context,
    mlx_kv_group_size,
)
from runtime.library.overhead import USUAL_EVALUATION, Evaluation
from runtime.library.spec import ModelSpec
from runtime.values.model import ModelFormat

LEAST_DEFAULT_CONTEXT_TOKENS = 8192
DEFAULT_KV_CACHE_BYTES = 1 << 30
"""llama.cpp reserves the whole KV cache when it loads: without a request, for no more than this."""
LEAST_STOP_TOKENS = 512
GGUF_BLOCK_ELEMENTS = 32
KV_CACHE_BITS = (8, 4)


def automatic_context(
    spec: ModelSpec, available_bytes: int, kv_cache_bits: int | None = None, evaluation: Evaluation = USUAL_EVALUATION
) -> int:
    """Return the context that a model gets where none is asked for, in tokens.

    Raises:
        MemoryShortError: not even the weights fit in `available_bytes`.
    """
    chosen = choose_context(spec, None, available_bytes, kv_cache_bits, evaluation)
    if spec.format is not ModelFormat.GGUF:
        return chosen
    token_bytes = kv_cache_bytes(spec, LEAST_DEFAULT_CONTEXT_TOKENS, kv_cache_bits) / LEAST_DEFAULT_CONTEXT_TOKENS
    affordable = int(DEFAULT_KV_CACHE_BYTES / token_bytes) if token_bytes else chosen
    return min(chosen, max(LEAST_DEFAULT_CONTEXT_TOKENS, affordable))


def context_stops(spec: ModelSpec, available_bytes: int, kv_cache_bits: int | None = None) -> tuple[int, ...]:
    """Return the contexts to offer, in tokens: powers of two, what just fits in `available_bytes`, and the limit."""
    limit = spec.context_tokens or UNSTATED_CONTEXT_TOKENS
    powers = [LEAST_STOP_TOKENS << step for step in range(24)]
    longest = largest_context(spec, available_bytes, kv_cache_bits)
    offered = {limit, longest, *powers}
    return tuple(sorted(tokens for tokens in offered if min(LEAST_STOP_TOKENS, limit) <= tokens <= limit))


def kv_cache_widths(spec: ModelSpec) -> tuple[int | None, ...]:
    """Return the widths in bits that the model's KV cache can have; None is the engine's own, of 16 bits or more."""
    if spec.format is ModelFormat.GGUF:
        elements = [width for layers in spec.kv_layers for width in (layers.key_dim, layers.value_dim)]
        can_quantize = bool(elements) and not any(width % GGUF_BLOCK_ELEMENTS for width in elements)
    else:
        can_quantize = mlx_kv_group_size(spec) is not None
    return (None, *KV_CACHE_BITS) if can_quantize else (None,)
