"""How many threads llama.cpp gets."""

from __future__ import annotations

import msgspec
import pytest

from runtime.engine.llamacpp_threads import MAX_THREADS, Threads, busy_cores, choose_threads
from runtime.metrics.device import DeviceInfo, read_device
from runtime.values.errors import SettingsError

LARGE, SMALL, TINY = 4_000_000_000, 50_000_000, 5_000_000


def machine(physical: int, usable: int | None = None, performance: int | None = None) -> DeviceInfo:
    return msgspec.structs.replace(
        read_device(), physical_cores=physical, usable_cores=usable or physical, performance_cores=performance
    )


@pytest.mark.parametrize(
    ("device", "weights_bytes", "busy", "threads"),
    [
        (machine(1), LARGE, 0.0, Threads(1, 1)),
        (machine(2), LARGE, 0.0, Threads(2, 2)),
        (machine(2), LARGE, 1.0, Threads(1, 2)),
        (machine(2), LARGE, 2.0, Threads(1, 2)),
        (machine(4), LARGE, 0.0, Threads(3, 3)),
        (machine(8), LARGE, 0.0, Threads(7, 7)),
        (machine(8), LARGE, 2.0, Threads(6, 7)),
        (machine(8), LARGE, 8.0, Threads(4, 7)),
        (machine(8, usable=3), LARGE, 0.0, Threads(2, 2)),
        (machine(12, performance=6), LARGE, 0.0, Threads(5, 5)),
        (machine(8), SMALL, 0.0, Threads(1, 7)),
        (machine(8), TINY, 0.0, Threads(1, 1)),
    ],
)
def test_threads_leave_what_others_need(device: DeviceInfo, weights_bytes: int, busy: float, threads: Threads) -> None:
    assert choose_threads(None, device, weights_bytes, lambda: busy) == threads


def test_what_was_asked_for_is_taken_unmeasured() -> None:
    def never() -> float:
        raise AssertionError("measured for nothing")

    assert choose_threads(3, machine(2), LARGE, never) == Threads(3, 3)
    assert choose_threads(None, machine(8), SMALL, never) == Threads(1, 7)
    for impossible in (0, -1, MAX_THREADS + 1):
        with pytest.raises(SettingsError):
            choose_threads(impossible, machine(2), LARGE, never)


def test_busy_cores_are_between_none_and_all() -> None:
    assert 0.0 <= busy_cores() <= read_device().logical_cores
