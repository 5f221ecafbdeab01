"""Rows as a run makes them, without a run."""

from __future__ import annotations

import msgspec

from runtime.bench.environment import Environment
from runtime.bench.model_identity import ModelIdentity
from runtime.bench.record import BenchRow, RowContext, RowSettings, RowStatus, Sample, Scope, row_of
from runtime.bench.workload import ChatReply, Decode, Workload
from runtime.values.errors import ErrorReport
from runtime.values.model import EngineName, LoadOptions, ModelFormat, Quantization
from runtime.values.sampling import GREEDY

MODEL = ModelIdentity(
    name="tiny",
    filename="tiny-q4_0.gguf",
    format=ModelFormat.GGUF,
    sha256="ab" * 32,
    weights_bytes=4_000_000,
    parameters=7_000_000,
    quantization=Quantization("INT4", 4.5),
    context_tokens=2048,
)
ENVIRONMENT = Environment(
    chip="Example 1",
    physical_cores=4,
    logical_cores=8,
    usable_cores=8,
    performance_cores=None,
    efficiency_cores=None,
    simd=("avx2",),
    total_memory_bytes=16_000_000_000,
    available_memory_bytes=8_000_000_000,
    unified_memory=False,
    os="Example OS 2",
    architecture="x86_64",
    app_version="0.1.0",
    python_version="3.11.9",
)
CONTEXT = RowContext(
    workload=Decode(128),
    engine=EngineName.LLAMACPP,
    model=MODEL,
    environment=ENVIRONMENT,
    settings=RowSettings(seed=42, repetitions=3, load=LoadOptions(model_name="tiny"), sampling=GREEDY),
    scope=Scope.ENGINE,
    cache="nothing cached",
    test_time="2026-11-21T12:00:00Z",
    engine_version="llama.cpp b1",
    device="CPU, 2 threads",
    load_ms=120.0,
)
LOST = ErrorReport("worker-lost", "The worker ended unexpectedly.", "Try again.")


def samples_at(*rates: float, tokens: int = 128, ttft_ms: tuple[float, ...] = ()) -> list[Sample]:
    """Return one sample for each rate in tokens a second."""
    return [
        Sample(
            tokens=tokens,
            elapsed_ns=round(tokens / rate * 1e9),
            prompt_tokens=1,
            cached_tokens=0,
            ttft_ms=ttft_ms,
            generated_tokens=tokens,
        )
        for rate in rates
    ]


def row(
    *rates: float,
    workload: Workload | None = None,
    status: RowStatus = RowStatus.DONE,
    error: ErrorReport | None = None,
    ttft_ms: tuple[float, ...] = (),
    model_name: str = "tiny",
) -> BenchRow:
    """Return a row with these rates."""
    context = msgspec.structs.replace(
        CONTEXT,
        workload=workload or Decode(128),
        scope=Scope.CHAT if isinstance(workload, ChatReply) else Scope.ENGINE,
        model=msgspec.structs.replace(MODEL, name=model_name),
    )
    return row_of(context, samples_at(*rates, ttft_ms=ttft_ms), status, error)
