"""How long a benchmark is said to take."""

from __future__ import annotations

import msgspec
import pytest

from desktop.state.bench_candidates import Candidate
from desktop.state.bench_estimate import Pace, expected_s, pace_of
from runtime.bench.comparison import earlier_of
from runtime.bench.plan import PRESETS, BenchPlan, PresetName, workloads_of
from runtime.bench.workload import Decode, Prefill
from runtime.client.base import ModelToLoad
from runtime.library.predictions import EngineHistory
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import EngineName, LoadOptions
from tests.runtime.bench.examples import row

MODEL = Candidate(
    model=ModelToLoad(engine=EngineName.LLAMACPP, path="tiny.gguf", options=LoadOptions(model_name="tiny")),
    size_bytes=1_000_000_000,
    parameters=2_000_000_000,
)
KNOWN = EngineHistory(
    bandwidth=MemoryBandwidth(
        bytes_per_second=1e11,
        median_bytes_per_second=1e11,
        slowest_bytes_per_second=1e11,
        rounds=3,
        buffer_bytes=1,
        cached_bytes=0,
        reader="test",
    )
)


def plan_of(*workloads: Prefill | Decode, **changes: object) -> BenchPlan:
    """Return a plan of five repetitions on the model."""
    return msgspec.structs.replace(BenchPlan(models=(MODEL.model,), workloads=workloads), **changes)


def test_earlier_results_of_the_model_say_most() -> None:
    earlier = earlier_of([row(1000.0, workload=Prefill(512)), row(30.0), row(50.0)])
    assert pace_of(MODEL, earlier, KNOWN) == Pace(1000.0, 50.0)
    assert pace_of(msgspec.structs.replace(MODEL, size_bytes=0), earlier, EngineHistory()) == Pace(1000.0, 50.0)


def test_else_the_memory_says_how_fast_it_writes() -> None:
    pace = pace_of(MODEL, (), KNOWN)
    assert pace is not None
    assert pace.decode_ts == pytest.approx(70.0)
    assert pace_of(MODEL, (), EngineHistory()) is None
    other = msgspec.structs.replace(row(50.0), engine=EngineName.MLX)
    assert pace_of(MODEL, earlier_of([other]), EngineHistory()) is None


def test_longer_and_deeper_tests_take_longer() -> None:
    chosen = [(MODEL, Pace(1000.0, 50.0))]
    short = expected_s(plan_of(Decode(128)), chosen)
    assert short == pytest.approx(5 * 128 / 50, rel=0.3)
    assert expected_s(plan_of(Decode(128), Prefill(512)), chosen) > short
    assert expected_s(plan_of(Decode(128, 4096)), chosen) > short + 5 * 4
    assert expected_s(plan_of(Decode(128), repetitions=10), chosen) > short * 1.6
    assert expected_s(plan_of(Decode(128)), [*chosen, *chosen]) == pytest.approx(2 * short)


def test_what_a_context_has_no_room_for_takes_no_time() -> None:
    small = msgspec.structs.replace(MODEL, context_tokens=2048)
    pace = Pace(1000.0, 50.0)
    plan = plan_of(Decode(128), Decode(128, 16384), leave_out=True)
    assert expected_s(plan, [(small, pace)]) == expected_s(plan_of(Decode(128)), [(small, pace)])


def test_quick_keeps_to_its_minute() -> None:
    quick = PRESETS[PresetName.QUICK]
    plan = BenchPlan(
        models=(MODEL.model,),
        workloads=workloads_of(quick.grid, None),
        repetitions=quick.repetitions,
        budget_s=quick.budget_s,
    )
    assert expected_s(plan, [(MODEL, Pace(200.0, 20.0))]) <= 60.0
