"""The memory policy, on Metal as MLX describes it, and where there is none."""

from __future__ import annotations

import mlx.core as mx
import pytest

from runtime.engine import mlx_memory
from runtime.metrics.device import total_memory_bytes

GB = 1_000_000_000


class Metal:
    """Stands in for a Mac whose working set may take 10 GB, and keeps the limits that are set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wired: list[int] = []
        self.cached: list[int] = []
        information = {"device_name": "Apple M4", "max_recommended_working_set_size": 10 * GB}
        monkeypatch.setattr(mx.metal, "is_available", lambda: True)
        monkeypatch.setattr(mx, "device_info", lambda: information)
        monkeypatch.setattr(mx, "set_wired_limit", self.wired.append)
        monkeypatch.setattr(mx, "set_cache_limit", self.cached.append)


@pytest.fixture
def metal(monkeypatch: pytest.MonkeyPatch) -> Metal:
    return Metal(monkeypatch)


def test_wires_what_a_model_needs_and_no_more(metal: Metal) -> None:
    mlx_memory.reserve(2 * GB)
    assert metal.wired == [2 * GB]
    assert 0 < metal.cached[0] < GB


def test_never_wires_the_whole_working_set(metal: Metal) -> None:
    mlx_memory.reserve(30 * GB)
    assert metal.wired == [9 * GB]
    assert mlx_memory.usable_bytes() == 9 * GB


def test_unwires_when_the_model_is_gone(metal: Metal) -> None:
    mlx_memory.reserve(2 * GB)
    mlx_memory.release()
    assert metal.wired == [2 * GB, 0]


def test_names_the_chip_and_what_runs_on_it(metal: Metal) -> None:
    assert metal.wired == []
    assert mlx_memory.device_text() == "Apple M4 (Metal)"


@pytest.mark.skipif(mx.metal.is_available(), reason="is about machines without Metal")
def test_sets_nothing_without_metal(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int] = []
    monkeypatch.setattr(mx, "set_wired_limit", limits.append)
    monkeypatch.setattr(mx, "set_cache_limit", limits.append)
    mlx_memory.reserve(GB)
    mlx_memory.release()
    assert limits == []
    assert 0 < mlx_memory.usable_bytes() <= total_memory_bytes()
    assert mlx_memory.device_text().endswith("(CPU)")
