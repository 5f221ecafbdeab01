"""The self-test believes no figure: each that could not be true is named."""

from __future__ import annotations

import msgspec
import pytest

from desktop.self_test.figures import figure_problems
from runtime.values.generation import GenerationStats, MemoryFigures, TtftParts
from runtime.values.model import EngineName, Quantization

PARTS = TtftParts(queue_ms=1.0, load_ms=0.0, tokenize_ms=2.0, cache_restore_ms=0.5, prefill_ms=6.0, first_decode_ms=0.5)
MEMORY = MemoryFigures(
    weights_bytes=1000, kv_cache_bytes=10, compute_buffer_bytes=None, worker_resident_bytes=5000, peak_bytes=6000
)
TRUE = GenerationStats(
    engine=EngineName.LLAMACPP,
    model="demo:int8",
    quantization=Quantization("Q8_0", 8.5),
    prompt_tokens=16,
    cached_tokens=0,
    generated_tokens=3,
    reasoning_tokens=0,
    ttft_ms=10.0,
    ttft_parts=PARTS,
    prefill_tokens_per_second=2666.7,
    decode_tokens_per_second=500.0,
    token_times_ms=(10.0, 12.0, 14.0),
    memory=MEMORY,
    context_used_tokens=19,
    context_limit_tokens=512,
)


def test_true_figures_have_no_problem() -> None:
    assert list(figure_problems(TRUE)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"ttft_ms": None},
        {"ttft_ms": 11.0},
        {"ttft_parts": None},
        {"ttft_parts": msgspec.structs.replace(PARTS, prefill_ms=5.0)},
        {"ttft_parts": msgspec.structs.replace(PARTS, queue_ms=-1.0, prefill_ms=8.0)},
        {"token_times_ms": ()},
        {"token_times_ms": (10.0, 14.0)},
        {"token_times_ms": (10.0, 15.0, 14.0)},
        {"prefill_tokens_per_second": None},
        {"prefill_tokens_per_second": 0.0},
        {"decode_tokens_per_second": None},
        {"decode_tokens_per_second": 750.0},
        {"decode_tokens_per_second": float("nan")},
        {"quantization": Quantization("", 8.5)},
        {"quantization": Quantization("Q8_0", 0.0)},
        {"memory": msgspec.structs.replace(MEMORY, weights_bytes=0)},
        {"memory": msgspec.structs.replace(MEMORY, kv_cache_bytes=0)},
        {"memory": msgspec.structs.replace(MEMORY, worker_resident_bytes=900)},
        {"memory": msgspec.structs.replace(MEMORY, peak_bytes=4000)},
        {"context_used_tokens": 18},
        {"context_limit_tokens": 18},
    ],
)
def test_a_figure_that_cannot_be_true_is_named(changes: dict[str, object]) -> None:
    assert list(figure_problems(msgspec.structs.replace(TRUE, **changes))) != []
