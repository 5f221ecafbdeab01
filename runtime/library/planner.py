"""What any model takes in memory, from its number of parameters alone: to run it, and to train it.

Running it takes weights, KV cache and working memory, as in `fit`. What a number of parameters does not tell (layers,
width, heads) is taken from the Llama 3 family, in between by interpolation: 1B and 3B from the config.json of Llama
3.2, the others from table 3 of "The Llama 3 Herd of Models" (arXiv 2407.21783). Others differ, above all in KV cache.

Training with AdamW in mixed precision takes 16 bytes a parameter (Rajbhandari et al., "ZeRO", section 3.1, arXiv
1910.02054), whatever the precision it is run in later:

    2 weights (16 bits) + 2 gradients (16 bits) + 12 optimizer (32-bit weights, momentum and variance, 4 each)

and activations, which are kept for the way back: 34 bytes for each token, layer and unit of width, the attention
matrix itself being computed again (Korthikanti et al., "Reducing Activation Recomputation in Large Transformer
Models", section 4, arXiv 2205.05198).
"""

from __future__ import annotations

from bisect import bisect_left
from enum import Enum
from math import exp, log

import msgspec

from runtime.library.overhead import usual_overhead_bytes
from runtime.values.errors import InvalidRequestError

MOST_PARAMETERS = 1e14
MOST_BITS_PER_WEIGHT = 64
MOST_CONTEXT_TOKENS = 100_000_000
MOST_BATCH = 65_536

KV_ELEMENT_BYTES = 2
TRAINED_WEIGHT_BYTES = 2
GRADIENT_BYTES = 2
OPTIMIZER_BYTES = 12
ACTIVATION_BYTES = 34


class Precision(Enum):
    """How wide a weight is, by the names that people use; scales of quantized weights come on top (half a bit)."""

    FP32 = 32
    FP16 = 16
    INT8 = 8
    INT4 = 4

    @property
    def title(self) -> str:
        """Return its name: BF16 is as wide as FP16."""
        return "BF16 / FP16" if self is Precision.FP16 else self.name


class TransformerShape(msgspec.Struct, frozen=True, kw_only=True):
    """Of a transformer, what its KV cache and its activations depend on.

    Attributes:
        layers: transformer blocks.
        hidden_size: width of the residual stream.
        kv_width: elements of the keys of one token in one layer: heads with keys × width of a key.
    """

    layers: float
    hidden_size: float
    kv_width: float


class PlannedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that may not exist.

    Attributes:
        parameters: number of weights.
        bits_per_weight: how they are stored, scales included where they count.
        context_tokens: tokens of one sequence.
        batch: sequences at the same time.
        shape: None takes the one that is usual for so many parameters.
    """

    parameters: float
    bits_per_weight: float
    context_tokens: int
    batch: int = 1
    shape: TransformerShape | None = None


class InferencePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What running a model takes, in bytes."""

    weights_bytes: int
    kv_cache_bytes: int
    overhead_bytes: int

    @property
    def total_bytes(self) -> int:
        """All terms together."""
        return self.weights_bytes + self.kv_cache_bytes + self.overhead_bytes


class TrainingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What training a model takes, in bytes."""

    weights_bytes: int
    gradients_bytes: int
    optimizer_bytes: int
    activations_bytes: int

    @property
    def total_bytes(self) -> int:
        """All terms together."""
        return self.weights_bytes + self.gradients_bytes + self.optimizer_bytes + self.activations_bytes


LLAMA_3 = (
    (1.24e9, TransformerShape(layers=16, hidden_size=2048, kv_width=512)),
    (3.21e9, TransformerShape(layers=28, hidden_size=3072, kv_width=1024)),
    (8.03e9, TransformerShape(layers=32, hidden_size=4096, kv_width=1024)),
    (70.6e9, TransformerShape(layers=80, hidden_size=8192, kv_width=1024)),
    (405.9e9, TransformerShape(layers=126, hidden_size=16_384, kv_width=1024)),
)
"""Parameters and shape of each, from the smallest to the largest."""
LLAMA_3_VOCABULARY = 128_256


def usual_shape(parameters: float) -> TransformerShape:
    """Return the shape that a dense model with so many parameters usually has: not rounded, for it is an estimate.

    Between two known models it is interpolated on logarithmic axes, and beyond the ends the last line goes on, down to
    a single layer and head.
    """
    sizes = [size for size, _ in LLAMA_3]
    right = min(max(bisect_left(sizes, parameters), 1), len(sizes) - 1)
    (small, lower), (large, upper) = LLAMA_3[right - 1], LLAMA_3[right]
    share = log(parameters / small) / log(large / small)

    def between(low: float, high: float, least: float) -> float:
        return max(least, low * exp(share * log(high / low)))

    return TransformerShape(
        layers=between(lower.layers, upper.layers, 1),
        hidden_size=between(lower.hidden_size, upper.hidden_size, 64),
        kv_width=between(lower.kv_width, upper.kv_width, 64),
    )


def plan_inference(model: PlannedModel) -> InferencePlan:
    """Return what running `model` takes.

    Raises:
        InvalidRequestError: a number is out of range.
    """
    _check(model)
    shape = model.shape or usual_shape(model.parameters)
    token_bytes = 2 * shape.layers * shape.kv_width * KV_ELEMENT_BYTES
    return InferencePlan(
        weights_bytes=round(model.parameters * model.bits_per_weight / 8),
        kv_cache_bytes=round(token_bytes * model.context_tokens * model.batch),
        overhead_bytes=usual_overhead_bytes(round(shape.hidden_size), LLAMA_3_VOCABULARY),
    )


def plan_training(model: PlannedModel) -> TrainingPlan:
    """Return what training a model of that size and shape takes, on sequences of `context_tokens`, `batch` at a time.

    Raises:
        InvalidRequestError: a number is out of range.
    """
    _check(model)
    shape = model.shape or usual_shape(model.parameters)
    tokens = model.context_tokens * model.batch
    return TrainingPlan(
        weights_bytes=round(model.parameters * TRAINED_WEIGHT_BYTES),
        gradients_bytes=round(model.parameters * GRADIENT_BYTES),
        optimizer_bytes=round(model.parameters * OPTIMIZER_BYTES),
        activations_bytes=round(ACTIVATION_BYTES * tokens * shape.hidden_size * shape.layers),
    )


def _check(model: PlannedModel) -> None:
    ranges = (
        ("number of parameters", model.parameters, 1, MOST_PARAMETERS),
        ("number of bits", model.bits_per_weight, 0.1, MOST_BITS_PER_WEIGHT),
        ("context", model.context_tokens, 1, MOST_CONTEXT_TOKENS),
        ("batch", model.batch, 1, MOST_BATCH),
    )
    for name, value, least, most in ranges:
        if not least <= value <= most:
            raise InvalidRequestError(f"The {name} cannot be {value:g}.", f"Choose from {least:g} to {most:g}.")
