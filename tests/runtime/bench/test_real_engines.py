"""The same plan on both engines, with tiny random models: every test is measured, in the state of the cache it says."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from runtime.bench.record import BenchRow, RowStatus
from runtime.bench.workload import CacheState, ChatReply, Decode, Prefill, Serving, Workload, name_of
from runtime.client.base import ModelToLoad
from runtime.values.model import EngineName, LoadOptions
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.runtime.bench.running import Watched, plan_for
from tests.runtime.client.real_models import ENGINES, write_model

WORKLOADS: tuple[Workload, ...] = (
    Prefill(48),
    Decode(100),
    Prefill(48, 200),
    Decode(100, 200),
    ChatReply(60, CacheState.WARM),
    ChatReply(60, CacheState.CACHED),
    ChatReply(60, CacheState.COLD),
    Serving(24, 6, 1),
    Serving(24, 6, 3),
)


def model_for(engine: EngineName, folder: Path, **options: object) -> ModelToLoad:
    chosen = msgspec.structs.replace(LoadOptions(model_name="tiny", threads=1), **options)
    return ModelToLoad(engine=engine, path=str(write_model(folder, engine)), options=chosen)


@pytest.mark.parametrize("engine", ENGINES)
async def test_every_test_is_measured_on_a_real_engine(tmp_path: Path, engine: EngineName) -> None:
    watched = Watched(plan_for([model_for(engine, tmp_path)], WORKLOADS), tmp_path)
    rows = {row.test: row for row in (await watched.run()).rows}

    assert list(rows) == [name_of(workload) for workload in WORKLOADS]
    for row in rows.values():
        assert (row.status, row.error) == (RowStatus.DONE, None)
        assert row.engine_version
        assert row.memory is not None
        assert row.memory.peak_bytes > row.memory.weights_bytes > 0
    for test in ("pp48", "pp48@d200", "pp24+tg6@c3"):
        assert len(rows[test].samples_ns) == 2
    for row in rows.values():
        # A reply of a model this small may arrive all at once on a busy machine: then it has no rate.
        assert 1 <= len(row.samples_ts) <= 2
        assert min(row.samples_ts) > 0
    assert {test: rows[test].cached_tokens for test in ("pp48", "pp48@d200", "tg100@d200", "pp24+tg6@c3")} == {
        "pp48": 0, "pp48@d200": 200, "tg100@d200": 199, "pp24+tg6@c3": 0,
    }  # fmt: skip
    assert rows["pp48"].model.parameters is not None
    assert rows["pp48"].avg_ts is not None
    assert rows["pp48"].flops_per_second is not None
    # The embedding is looked up, and only the last token meets the head and the MLP of the second layer: of 152,000
    # weights and a few more 32,768, as many again, and 24,576.
    assert 0.3 < rows["pp48"].flops_per_second / (2 * rows["pp48"].model.parameters * rows["pp48"].avg_ts) < 0.5
    check_compute(rows)
    check_chats(rows)
    serving = rows["pp24+tg6@c3"]
    assert serving.settings.load.parallel_requests == 3
    assert serving.ttft is not None
    assert len(serving.ttft.samples_ms) == 6


def check_compute(rows: dict[str, BenchRow]) -> None:
    """Check that reading, and nothing else, is set against what the device computes."""
    compute = rows["pp48"].compute
    assert compute is not None
    assert compute.flops_per_second == rows["pp48"].flops_per_second
    assert compute.peak_flops_per_second is not None
    # Matrices as small as this model's keep no processor busy.
    assert compute.share == compute.flops_per_second / compute.peak_flops_per_second
    assert compute.share < 1
    assert rows["tg100"].flops_per_second is None
    assert rows["tg100"].compute is None


def check_chats(rows: dict[str, BenchRow]) -> None:
    """Check that each chat began in its state of the cache."""
    cold, warm, cached = (rows[f"chat60@{state}"] for state in ("cold", "warm", "cached"))
    for row in (cold, warm, cached):
        assert row.ttft is not None
        assert row.ttft.parts is not None
        assert len(row.ttft.samples_ms) == 2
        assert (row.ttft.parts.load_ms > 0) is (row is cold)
    assert (cold.cached_tokens, warm.cached_tokens) == (0, 0)
    assert cached.cached_tokens is not None
    assert cached.cached_tokens > cached.n_prompt // 2


async def test_a_context_that_the_memory_does_not_bear_costs_only_the_tests_that_need_it(tmp_path: Path) -> None:
    # 2 layers of 64 heads: 33 kB of KV cache a token, so that ten million tokens are more than any machine has.
    recipe = GgufRecipe(heads=64, kv_heads=64, head_dim=64, context_tokens=100_000_000)
    path = tmp_path / "wide.gguf"
    write_random_gguf(path, recipe)
    model = ModelToLoad(engine=EngineName.LLAMACPP, path=str(path), options=LoadOptions(model_name="wide", threads=1))
    fits, too_deep = (await Watched(plan_for([model], [Prefill(16), Prefill(16, 9_000_000)]), tmp_path).run()).rows

    assert fits.status is RowStatus.DONE
    assert too_deep.status is RowStatus.FAILED
    assert too_deep.error is not None
    assert too_deep.error.code == "memory-short"
