"""What a model takes in memory besides weights and caches: the process, its tokenizer, and evaluating prompts.

    overhead = process + tokenizer + activations + attention scores

**Process** is interpreter and inference library, **tokenizer** grows with the vocabulary. **Activations** are what a
chunk of the prompt takes at the widest point of a block, and with MLX copies of its keys and values; a chunk is never
longer than the context. **Attention scores** are a matrix of heads × chunk × context where it is there as a whole: MLX
on a CPU, heads of a width that Metal's fused kernel does not know, a quantized KV cache. llama.cpp computes attention
piece by piece and has a mask of that form alone, for all heads together. All constants were measured: see
`tests/benchmarks/fit_accuracy.py`.
"""

from __future__ import annotations

import msgspec

from runtime.library.spec import KvLayers, ModelSpec
from runtime.values.model import ModelFormat

PREFILL_CHUNK_TOKENS = 512
PROCESS_BYTES = {ModelFormat.MLX: 93_000_000, ModelFormat.GGUF: 57_000_000}
"""A worker with a model of no size: measured with Python 3.11 on Linux."""
TOKEN_BYTES = {ModelFormat.MLX: 380, ModelFormat.GGUF: 410}
"""Of the tokenizer, for each entry of the vocabulary: measured with vocabularies of 400 to 128,000."""
ACTIVATIONS_PER_HIDDEN = 16
"""Activations alive at once for each token and unit of width: residual, norms, attention, the MLP's two halves."""
KEY_VALUE_COPIES = 8
"""MLX alone: the keys and values of a chunk, four times each: projected, normed, rotated, transposed."""
SCORE_COPIES = 1.7
"""How many times the attention scores of a chunk are there, where they are there as a whole."""
FLOAT_BYTES = 4
FUSED_HEAD_DIMS = frozenset({64, 80, 128, 256})
"""Widths of heads that MLX's fused attention knows (`sdpa_full_supported_head_dim`, and 256 since 0.32.2)."""


class Evaluation(msgspec.Struct, frozen=True):
    """How an engine evaluates prompts, as far as its memory depends on it.

    Attributes:
        chunk_tokens: tokens of the prompt that are evaluated together.
        fuses_attention: whether there is a kernel that computes attention piece by piece; False: MLX on a CPU.
    """

    chunk_tokens: int = PREFILL_CHUNK_TOKENS
    fuses_attention: bool = True


USUAL_EVALUATION = Evaluation()
"""As on a GPU, where chunks are widest: what is assumed of a model that is not loaded yet."""


def overhead_bytes(spec: ModelSpec, context_tokens: int, kv_cache_bits: int | None, evaluation: Evaluation) -> int:
    """Return what a worker with the model takes besides weights and caches, with a context of `context_tokens`."""
    chunk_tokens = min(evaluation.chunk_tokens, context_tokens)
    activations = chunk_tokens * _activations(spec) * _activation_bytes(spec)
    scores = chunk_tokens * _scores_token_bytes(spec, context_tokens, kv_cache_bits, evaluation)
    return _standing_bytes(spec.format, spec.vocabulary_size) + activations + round(scores)


def usual_overhead_bytes(hidden_size: int, vocabulary_size: int) -> int:
    """Return what a worker with a model of that width takes in the usual case: 16 bits, attention piece by piece."""
    activations = PREFILL_CHUNK_TOKENS * ACTIVATIONS_PER_HIDDEN * hidden_size * 2
    return _standing_bytes(ModelFormat.MLX, vocabulary_size) + activations


def _standing_bytes(model_format: ModelFormat, vocabulary_size: int) -> int:
    return PROCESS_BYTES.get(model_format, 0) + TOKEN_BYTES.get(model_format, 0) * vocabulary_size


def _activations(spec: ModelSpec) -> int:
    """Return how many activations of one token are alive at once."""
    of_block = ACTIVATIONS_PER_HIDDEN * (spec.hidden_size or 0)
    if spec.format is not ModelFormat.MLX:
        return of_block
    widest = max((layers.kv_heads * max(layers.key_dim, layers.value_dim) for layers in spec.kv_layers), default=0)
    return of_block + KEY_VALUE_COPIES * widest


def _activation_bytes(spec: ModelSpec) -> int:
    """Return the bytes of an activation: MLX computes in what the KV cache holds, llama.cpp in 32 bits."""
    return spec.kv_element_bytes if spec.format is ModelFormat.MLX else FLOAT_BYTES


def _scores_token_bytes(spec: ModelSpec, context_tokens: int, bits: int | None, evaluation: Evaluation) -> float:
    """Return what one token's attention scores take in one layer, or its row of the mask where there are no scores."""
    if spec.format is not ModelFormat.MLX:
        return context_tokens * FLOAT_BYTES
    widths = {(layers.key_dim, layers.value_dim) for layers in spec.kv_layers}
    is_fused = evaluation.fuses_attention and bits is None and all(k == v and k in FUSED_HEAD_DIMS for k, v in widths)
    if is_fused or not widths:
        return 0
    reach = max(_reach(layers, context_tokens, evaluation) for layers in spec.kv_layers)
    return reach * (spec.attention_heads or 0) * _activation_bytes(spec) * SCORE_COPIES


def _reach(layers: KvLayers, context_tokens: int, evaluation: Evaluation) -> int:
    """Return how many tokens a chunk looks back at."""
    window = layers.window_tokens
    return context_tokens if window is None else min(context_tokens, window + evaluation.chunk_tokens)
