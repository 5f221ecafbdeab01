"""Phases: tests that need a model loaded alike come together; models share the memory only where they fit."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from runtime.bench.phases import fits_together, phases_of
from runtime.bench.plan import BenchPlan
from runtime.bench.variant import load_options
from runtime.bench.workload import CacheState, ChatReply, Decode, Prefill, Serving
from runtime.client.base import ModelToLoad
from runtime.config.paths import assets_folder
from runtime.library.fit import memory_need
from runtime.library.reader import read_spec
from runtime.values.model import EngineName, LoadOptions

DEMO = assets_folder() / "demo-model"
GGUF = ModelToLoad(engine=EngineName.LLAMACPP, path=str(DEMO / "demo-q8_0.gguf"))
WORKLOADS = (
    Prefill(8),
    ChatReply(4, CacheState.COLD),
    Serving(8, 4, 2),
    Decode(4),
    ChatReply(4, CacheState.WARM),
    Serving(8, 4, 8),
)


def test_cold_chats_and_servings_come_after_the_rest() -> None:
    single, cold, serving = phases_of(BenchPlan(models=(GGUF, GGUF), workloads=WORKLOADS, repetitions=3))

    assert single.workloads == (Prefill(8), Decode(4), ChatReply(4, CacheState.WARM))
    assert (cold.workloads, cold.is_cold) == ((ChatReply(4, CacheState.COLD),), True)
    assert (serving.workloads, serving.parallel) == ((Serving(8, 4, 2), Serving(8, 4, 8)), 8)
    assert len(list(single.steps(together=True))) == 3 * 2 * 3


def test_phases_without_work_are_none() -> None:
    (only,) = phases_of(BenchPlan(models=(GGUF,), workloads=(Serving(8, 4, 2),)))

    assert only.parallel == 2


def test_models_share_the_memory_only_where_they_fit_with_their_contexts() -> None:
    options = LoadOptions(context_tokens=2048)
    each = memory_need(read_spec(Path(GGUF.path)), 2048).total_bytes
    two = [(GGUF, options), (GGUF, options)]

    assert fits_together(two, int(2 * each / 0.7) + 2)
    assert not fits_together(two, int(2 * each / 0.7) - 2)
    assert fits_together(two[:1], 0)
    crowded = msgspec.structs.replace(options, parallel_requests=32)
    assert not fits_together([(GGUF, crowded)] * 2, int(2 * each / 0.7) + 2)


@pytest.mark.parametrize(
    ("chosen", "limit", "context_tokens"),
    [
        (None, None, 4864),  # 4,096 + 512 + 1, in steps of 256
        (None, 32_768, 4864),
        (None, 4700, 4700),
        (8192, 32_768, 8192),
    ],
)
def test_a_model_is_loaded_with_the_context_its_tests_need(
    chosen: int | None, limit: int | None, context_tokens: int
) -> None:
    options = load_options(
        LoadOptions(context_tokens=chosen, threads=3), [Prefill(512, 4096), Decode(8)], parallel=2, limit=limit
    )

    assert options == LoadOptions(context_tokens=context_tokens, threads=3, parallel_requests=2)
