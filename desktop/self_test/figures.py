"""Whether the figures of a reply can be true: each is recomputed from the token times, or held against another."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from runtime.values.generation import GenerationStats, MemoryFigures

TOLERANCE = 1e-6
"""Relative: the figures are sums and quotients of the same nanoseconds."""
PLAUSIBLE_BITS = (1.0, 33.0)


def figure_problems(stats: GenerationStats) -> Iterator[str]:
    """Yield what contradicts itself; nothing where every figure is there and adds up."""
    yield from _ttft_problems(stats)
    yield from _speed_problems(stats)
    yield from _memory_problems(stats.memory)
    low, high = PLAUSIBLE_BITS
    if not stats.quantization.name or not low <= stats.quantization.bits_per_weight <= high:
        yield f"quantization {stats.quantization.name!r} with {stats.quantization.bits_per_weight} bits a weight"
    if stats.context_used_tokens != stats.prompt_tokens + stats.generated_tokens:
        yield "the context in use is not what prompt and reply take"
    if stats.context_used_tokens > stats.context_limit_tokens:
        yield "more of the context is in use than there is"


def _ttft_problems(stats: GenerationStats) -> Iterator[str]:
    times, parts = stats.token_times_ms, stats.ttft_parts
    if stats.ttft_ms is None or parts is None or not times:
        yield "no token was timed"
        return
    values: dict[str, float] = msgspec.structs.asdict(parts)
    yield from (f"{name} is negative" for name, value in values.items() if value < 0)
    if not _same(sum(values.values()), stats.ttft_ms):
        yield f"the parts of TTFT add up to {sum(values.values()):.3f} ms, not to {stats.ttft_ms:.3f} ms"
    if not _same(times[0], stats.ttft_ms):
        yield "the first token's time is not TTFT"
    if any(later < earlier for earlier, later in pairwise(times)):
        yield "a token came before the one it follows"
    if len(times) != stats.generated_tokens:
        yield f"{stats.generated_tokens} tokens have {len(times)} times"


def _speed_problems(stats: GenerationStats) -> Iterator[str]:
    prefill, decode, times = stats.prefill_tokens_per_second, stats.decode_tokens_per_second, stats.token_times_ms
    if prefill is None or not prefill > 0:
        yield "no prefill speed"
    if len(times) < 2 or decode is None or not decode > 0:
        yield "no decode speed"
    elif not _same(decode, (len(times) - 1) * 1000 / (times[-1] - times[0])):
        yield "the decode speed is not what the token times give"


def _memory_problems(memory: MemoryFigures) -> Iterator[str]:
    if memory.weights_bytes <= 0 or memory.kv_cache_bytes <= 0:
        yield "weights or KV cache take no memory"
    if memory.worker_resident_bytes <= memory.weights_bytes:
        yield "the worker takes less memory than the weights"
    if memory.peak_bytes < memory.worker_resident_bytes:
        yield "the peak of memory is below what is taken now"


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
