"""Whether a model fits in memory, and how long a context it can have, with the terms spelled out.

    need = weights + KV cache + recurrent state + overhead

**Weights** are the bytes of all tensors: both engines keep them as they are stored.

**KV cache**: every layer with attention keeps, for each token it can look back at, a key and a value for each of its
key-value heads:

    bytes = Σ over layers of  tokens × kv_heads × (key_dim + value_dim) × bytes per element

where `tokens` is the context, or, in a layer with sliding-window attention, at most the window and one chunk of the
prompt, rounded up to 256 because both engines allocate in such steps. An element takes 2 bytes (4 where a model
computes in 32 bits). A quantized cache keeps scales beside the elements: MLX a scale and a bias for each 64 elements
(4 bits become 4.5) or, where heads are not that wide, for each 32 (4 bits become 5); llama.cpp a 16-bit scale for each
32 (Q8_0: 8.5 bits, Q4_0: 4.5 bits). MLX never quantizes sliding windows. llama.cpp keeps sliding windows and recurrent
states twice: what they were at the end of the last prompt is kept, to go back to.

**Recurrent state**: layers that keep a state instead of keys and values (Mamba, gated delta nets, short convolutions)
take the same whatever the context; see `mlx_recurrent` and `gguf_recurrent`.

**Overhead** is the process itself and what it takes to evaluate; see `overhead`.
"""

from __future__ import annotations

import msgspec

from runtime.library.overhead import USUAL_EVALUATION, Evaluation, overhead_bytes
from runtime.library.spec import KvLayers, ModelSpec
from runtime.values.errors import InvalidRequestError, MemoryShortError
from runtime.values.model import ModelFormat

ALLOCATION_STEP_TOKENS = 256
UNSTATED_CONTEXT_TOKENS = 8192
"""What a model gets whose files state no limit."""
MLX_GROUP_SIZES = (64, 32)
"""Elements that share a scale in MLX's quantized KV cache: the first of these that divides every key and value."""
GGUF_BLOCK_BYTES = {8: 34 / 32, 4: 18 / 32}
GB = 1e9


class MemoryNeed(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes in memory with a context of `context_tokens`; see the module's text for the terms."""

    context_tokens: int
    weights_bytes: int
    kv_cache_bytes: int
    recurrent_state_bytes: int = 0
    overhead_bytes: int

    @property
    def total_bytes(self) -> int:
        """All terms together."""
        return self.weights_bytes + self.kv_cache_bytes + self.recurrent_state_bytes + self.overhead_bytes


def kv_cache_bytes(
    spec: ModelSpec, context_tokens: int, kv_cache_bits: int | None = None, evaluation: Evaluation = USUAL_EVALUATION
) -> int:
    """Return the bytes of the KV cache with `context_tokens` in it.

    Args:
        spec: the model.
        context_tokens: tokens in the context.
        kv_cache_bits: 4 or 8 for a quantized cache; None for the engine's own 16 or 32.
        evaluation: how prompts are evaluated.
    """
    return sum(
        _layers_bytes(spec, layers, context_tokens, kv_cache_bits, evaluation.chunk_tokens) for layers in spec.kv_layers
    )


def mlx_kv_group_size(spec: ModelSpec) -> int | None:
    """Return how many elements share a scale in MLX's quantized KV cache; None if this model's cannot be quantized."""
    widths = {width for layers in spec.kv_layers for width in (layers.key_dim, layers.value_dim) if width}
    return next((size for size in MLX_GROUP_SIZES if widths and all(width % size == 0 for width in widths)), None)


def kv_token_bytes(spec: ModelSpec, layers: KvLayers, kv_cache_bits: int | None = None) -> float:
    """Return the bytes of one token in the KV cache of `layers`, which are some of the layers of `spec`."""
    whole = spec.format is ModelFormat.MLX and layers.window_tokens is not None
    elements = layers.layers * layers.kv_heads * (layers.key_dim + layers.value_dim)
    return elements * _element_bytes(spec, None if whole else kv_cache_bits)


def memory_need(
    spec: ModelSpec, context_tokens: int, kv_cache_bits: int | None = None, evaluation: Evaluation = USUAL_EVALUATION
) -> MemoryNeed:
    """Return what the model takes with a context of `context_tokens`; see `kv_cache_bytes` for the arguments."""
    cache = kv_cache_bytes(spec, context_tokens, kv_cache_bits, evaluation)
    return MemoryNeed(
        context_tokens=context_tokens,
        weights_bytes=spec.weights_bytes,
        kv_cache_bytes=cache + kept_windows_bytes(spec, context_tokens, kv_cache_bits, evaluation),
        recurrent_state_bytes=spec.recurrent_state_bytes * (2 if spec.format is ModelFormat.GGUF else 1),
        overhead_bytes=overhead_bytes(spec, context_tokens, kv_cache_bits, evaluation),
    )


def kept_windows_bytes(
    spec: ModelSpec, context_tokens: int, kv_cache_bits: int | None = None, evaluation: Evaluation = USUAL_EVALUATION
) -> int:
    """Return what llama.cpp keeps of sliding windows besides the cache, to go back to the end of one prompt."""
    if spec.format is not ModelFormat.GGUF:
        return 0
    windows = tuple(layers for layers in spec.kv_layers if layers.window_tokens is not None)
    sliding = msgspec.structs.replace(spec, kv_layers=windows)
    return kv_cache_bytes(sliding, context_tokens, kv_cache_bits, evaluation)


def at_once(spec: ModelSpec, sequences: int) -> ModelSpec:
    """Return the model as it is with so many sequences at the same time: each keeps a context of its own."""
    return msgspec.structs.replace(
        spec, kv_layers=spec.kv_layers * sequences, recurrent_state_bytes=spec.recurrent_state_bytes * sequences
    )


def largest_context(
    spec: ModelSpec, available_bytes: int, kv_cache_bits: int | None = None, evaluation: Evaluation = USUAL_EVALUATION
) -> int:
    """Return the longest context that fits in `available_bytes`, in tokens, at most the model's own limit.

    0 if the weights alone do not fit. Below the limit, a multiple of 256.
    """
    limit = spec.context_tokens or UNSTATED_CONTEXT_TOKENS
    if memory_need(spec, limit, kv_cache_bits, evaluation).total_bytes <= available_bytes:
        return limit
    # The need grows with every step of the context, so the last step that fits is found by halving.
    fits, fits_not = 0, -(-limit // ALLOCATION_STEP_TOKENS)
    while fits_not - fits > 1:
        middle = (fits + fits_not) // 2
        need = memory_need(spec, middle * ALLOCATION_STEP_TOKENS, kv_cache_bits, evaluation)
        if need.total_bytes <= available_bytes:
            fits = middle
        else:
            fits_not = middle
    return fits * ALLOCATION_STEP_TOKENS


def check_fits(
    spec: ModelSpec,
    context_tokens: int,
    available_bytes: int,
    kv_cache_bits: int | None = None,
    evaluation: Evaluation = USUAL_EVALUATION,
) -> MemoryNeed:
    """Return what the model takes with a context of `context_tokens`.

    Raises:
        MemoryShortError: that is more than `available_bytes`; the text has every term, and what would fit.
    """
    need = memory_need(spec, context_tokens, kv_cache_bits, evaluation)
    if need.total_bytes <= available_bytes:
        return need
    longest = largest_context(spec, available_bytes, kv_cache_bits, evaluation)
    state = f", recurrent state {_gb(need.recurrent_state_bytes)}" if need.recurrent_state_bytes else ""
    raise MemoryShortError(
        f"{spec.name} with a context of {context_tokens:,} tokens takes {_gb(need.total_bytes)}"
        f" (weights {_gb(need.weights_bytes)}, KV cache {_gb(need.kv_cache_bytes)}{state},"
        f" working memory {_gb(need.overhead_bytes)}), and {_gb(available_bytes)} are free.",
        f"Load it with a context of at most {longest:,} tokens."
        if longest
        else "Close other programs, or choose a smaller model or one with fewer bits per weight.",
    )


def choose_context(
    spec: ModelSpec,
    requested_tokens: int | None,
    available_bytes: int,
    kv_cache_bits: int | None = None,
    evaluation: Evaluation = USUAL_EVALUATION,
) -> int:
    """Return the context to load the model with, in tokens.

    Without a request that is the model's own limit, cut to what `available_bytes` bear.

    Raises:
        InvalidRequestError: the request is below 1 or above the model's limit.
        MemoryShortError: the request, or any context at all, takes more than `available_bytes`.
    """
    if requested_tokens is None:
        longest = largest_context(spec, available_bytes, kv_cache_bits, evaluation)
        return longest or check_fits(spec, 1, available_bytes, kv_cache_bits, evaluation).context_tokens
    limit = spec.context_tokens
    if requested_tokens < 1 or (limit is not None and requested_tokens > limit):
        most = f" to {limit:,}" if limit is not None else ""
        raise InvalidRequestError(
            f"{spec.name} cannot have a context of {requested_tokens:,} tokens.", f"Choose from 1{most} tokens."
        )
    return check_fits(spec, requested_tokens, available_bytes, kv_cache_bits, evaluation).context_tokens


def _layers_bytes(spec: ModelSpec, layers: KvLayers, context_tokens: int, bits: int | None, chunk_tokens: int) -> int:
    window = layers.window_tokens
    tokens = context_tokens if window is None else min(context_tokens, window + chunk_tokens)
    steps = -(-tokens // ALLOCATION_STEP_TOKENS)
    return round(steps * ALLOCATION_STEP_TOKENS * kv_token_bytes(spec, layers, bits))


def _element_bytes(spec: ModelSpec, bits: int | None) -> float:
    if bits is None:
        return spec.kv_element_bytes
    if spec.format is ModelFormat.GGUF:
        return GGUF_BLOCK_BYTES.get(bits, spec.kv_element_bytes)
    group_size = mlx_kv_group_size(spec)
    return spec.kv_element_bytes if group_size is None else bits / 8 + 2 * spec.kv_element_bytes / group_size


def _gb(count: int) -> str:
    return f"{count / GB:.2f} GB"
