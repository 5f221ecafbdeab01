"""The compute roof of llama.cpp: measured in a worker of its own, once for models alike; unknown where it cannot be."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pytest

from runtime.bench.compute_roof import ComputeRoofs
from runtime.bench.requests import RunStoppedError, StopSignal
from runtime.bench.workload import Prefill
from runtime.client.base import ModelToLoad
from runtime.client.launch import make_supervisor
from runtime.client.supervisor import Supervisor
from runtime.values.model import EngineName, LoadOptions
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.runtime.bench.running import Watched, plan_for

ONE_THREAD = LoadOptions(threads=1)


class Clients:
    """Makes clients, and knows them."""

    def __init__(self) -> None:
        self.made: list[Supervisor] = []

    def make(self) -> Supervisor:
        """Make one."""
        self.made.append(make_supervisor())
        return self.made[-1]


def gguf_model(path: Path, **recipe: object) -> ModelToLoad:
    write_random_gguf(path, msgspec.structs.replace(GgufRecipe(weights="Q8_0"), **recipe))
    return ModelToLoad(engine=EngineName.LLAMACPP, path=str(path), options=ONE_THREAD)


def roof_folders(folder: Path) -> list[Path]:
    return list(folder.glob("first-token-roof-*"))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


async def test_is_measured_once_for_models_alike_and_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    clients = Clients()
    roofs = ComputeRoofs(clients.make, 42, StopSignal())
    first = await roofs.flops_per_second(gguf_model(tmp_path / "a.gguf"), ONE_THREAD)
    again = await roofs.flops_per_second(gguf_model(tmp_path / "b.gguf", seed=2), ONE_THREAD)

    assert first is not None
    assert 1e8 < first < 1e15
    assert again == first
    assert len(clients.made) == 1
    assert clients.made[0].worker_pid is None
    assert roof_folders(temporary) == []


async def test_what_cannot_be_measured_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roofs = ComputeRoofs(Clients().make, 42, StopSignal())
    absent = ModelToLoad(engine=EngineName.LLAMACPP, path=str(tmp_path / "absent.gguf"), options=ONE_THREAD)
    assert await roofs.flops_per_second(absent, ONE_THREAD) is None
    no_numbers = gguf_model(tmp_path / "nan.gguf", weights="F32", nan_in="token_embd.weight")
    assert await roofs.flops_per_second(no_numbers, ONE_THREAD) is None
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no-such-folder"))
    assert await roofs.flops_per_second(gguf_model(tmp_path / "good.gguf"), ONE_THREAD) is None


async def test_a_roof_that_a_prompt_breaks_through_gives_no_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow_moment(_roofs: ComputeRoofs, _model: ModelToLoad, _options: LoadOptions) -> float:
        return 1.0

    monkeypatch.setattr(ComputeRoofs, "flops_per_second", slow_moment)
    watched = Watched(plan_for([gguf_model(tmp_path / "a.gguf")], [Prefill(64)]), tmp_path)
    (row,) = (await watched.run()).rows
    assert row.compute is not None
    assert row.compute.peak_flops_per_second == 1.0
    assert row.compute.share is None


async def test_ends_with_the_run(tmp_path: Path) -> None:
    stop = StopSignal()
    stop.request()
    with pytest.raises(RunStoppedError):
        await ComputeRoofs(Clients().make, 42, stop).flops_per_second(gguf_model(tmp_path / "a.gguf"), ONE_THREAD)
