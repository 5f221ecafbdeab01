"""Having MLX evaluate a prompt: in chunks, so that a cancel is heard soon."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
from mlx.nn.layers.base import Module

from runtime.engine.mlx_cache import KvCache

METAL_CHUNK_TOKENS = 512
CPU_CHUNK_WORK = {4: 200_000_000, 2: 8_000_000}
"""Parameters × tokens that the CPU backend evaluates in about 0.2 s, by the bytes of an activation.

Measured in one thread: 2.4 GFLOP/s in 32-bit floats, and 20 to 30 times less in 16-bit ones, which it emulates.
"""
CPU_CHUNK_RANGE = (4, 512)


def default_chunk_tokens(parameters: int, activation_bytes: int) -> int:
    """Return how many prompt tokens to evaluate between two looks at the cancel flag.

    Metal needs wide chunks to reach its speed. The CPU backend is as fast with narrow ones, so a chunk is as wide as
    0.2 s allow. It depends on the model alone, never on the clock: where a prompt is cut changes the last bits of what
    comes out, and a seeded reply must be the same every time.
    """
    if mx.metal.is_available():
        return METAL_CHUNK_TOKENS
    least, most = CPU_CHUNK_RANGE
    return max(least, min(most, CPU_CHUNK_WORK[activation_bytes] // max(parameters, 1)))


def evaluate_chunk(network: Module, cache: KvCache, chunk: Sequence[int]) -> None:
    """Evaluate a part of a prompt. Of the whole prompt the last token is left to whoever wants what follows it.

    mlx-lm's own prefill runs within one step of `generate_step` and cannot be left between chunks.
    """
    network(mx.array([chunk], dtype=mx.uint32), cache=cache.layers)
    cache.evaluate()
    mx.clear_cache()
