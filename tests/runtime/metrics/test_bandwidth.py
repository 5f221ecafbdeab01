"""Memory bandwidth: read for real, given back afterwards, and told from the caches by what the readings say."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.metrics.bandwidth import (
    LEAST_BUFFER_BYTES,
    MB,
    MOST_BUFFER_BYTES,
    USUAL_BUFFER_BYTES,
    BandwidthMeasurement,
    CpuReader,
    choose_buffer_bytes,
    measure_bandwidth,
)
from runtime.metrics.memory import resident_bytes_reader

GB = 10**9


class Readings:
    """A reader with given speeds for given sizes; it counts what is asked of it."""

    name = "readings"

    def __init__(self, buffer_bytes: int, speeds: dict[int, list[float]], pieces: int = 3) -> None:
        self.buffer_bytes = buffer_bytes
        self.closed = 0
        self._speeds = speeds
        self._pieces = pieces

    def prepare(self) -> bool:
        """Take `pieces` calls."""
        self._pieces -= 1
        return self._pieces == 0

    def read(self, size_bytes: int) -> float:
        """Return the next speed for this size, the last one from then on."""
        speeds = self._speeds[max(size for size in self._speeds if size <= size_bytes)]
        return speeds.pop(0) if len(speeds) > 1 else speeds[0]

    def compute(self) -> float | None:
        """Return a figure of its own."""
        return 7e12

    def close(self) -> None:
        """Count."""
        self.closed += 1


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_real_memory_is_read_at_a_plausible_speed(threads: int) -> None:
    figure = measure_bandwidth(CpuReader(threads, LEAST_BUFFER_BYTES))

    assert 0.1 * GB < figure.bytes_per_second < 10_000 * GB
    assert 0 < figure.slowest_bytes_per_second <= figure.median_bytes_per_second <= figure.bytes_per_second
    assert figure.buffer_bytes == LEAST_BUFFER_BYTES
    assert figure.reader == f"{threads} CPU thread{'s' if threads > 1 else ''}"


def test_the_buffer_is_really_there_while_it_is_read_and_given_back_afterwards() -> None:
    resident = resident_bytes_reader()
    before = resident()
    reader = CpuReader(1, LEAST_BUFFER_BYTES)
    while not reader.prepare():
        pass
    during = resident()
    reader.read(LEAST_BUFFER_BYTES)
    reader.close()

    assert during - before > LEAST_BUFFER_BYTES * 0.9
    assert during - resident() > LEAST_BUFFER_BYTES * 0.9
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("Thread-")]


def test_a_reader_can_begin_anew_after_it_was_interrupted() -> None:
    reader = CpuReader(1, LEAST_BUFFER_BYTES)
    reader.prepare()
    reader.close()
    reader.close()

    assert measure_bandwidth(reader).buffer_bytes == LEAST_BUFFER_BYTES


def test_where_memory_comes_slowly_the_buffer_is_smaller() -> None:
    ticks = iter(range(1000))
    reader = CpuReader(1, USUAL_BUFFER_BYTES, clock_s=lambda: next(ticks) * 0.1)
    while not reader.prepare():
        pass

    assert reader.buffer_bytes == LEAST_BUFFER_BYTES
    reader.close()


def test_the_fastest_round_counts_and_the_others_are_its_spread() -> None:
    figure = measure_bandwidth(Readings(256 * MB, {0: [10.0, 30.0, 20.0, 25.0]}))

    assert (figure.bytes_per_second, figure.slowest_bytes_per_second) == (30.0, 10.0)
    assert figure.median_bytes_per_second == 25.0
    assert figure.rounds == 8


@pytest.mark.parametrize(
    ("speeds", "cached_bytes"),
    [
        ({0: [30.0]}, 0),
        ({0: [100.0], 64 * MB: [33.0]}, 32 * MB),
        ({0: [100.0], 16 * MB: [60.0], 128 * MB: [31.0], 256 * MB: [30.0]}, 64 * MB),
        ({0: [30.0], 32 * MB: [30.0, 60.0], 64 * MB: [30.0]}, 32 * MB),
    ],
    ids=["no cache", "one cache", "two caches", "one undisturbed round"],
)
def test_what_is_read_clearly_faster_is_in_the_caches(speeds: dict[int, list[float]], cached_bytes: int) -> None:
    assert measure_bandwidth(Readings(256 * MB, speeds)).cached_bytes == cached_bytes


def test_a_measurement_is_done_in_pieces_and_closes_its_reader() -> None:
    reader = Readings(256 * MB, {0: [30.0]}, pieces=5)
    measurement = BandwidthMeasurement(reader)
    results = [measurement.step() for _ in range(5)]

    assert results == [None] * 5
    measurement.close()
    assert reader.closed == 1


@given(st.integers(0, 10**13))
def test_the_buffer_is_never_more_than_a_small_part_of_what_is_free(available_bytes: int) -> None:
    size = choose_buffer_bytes(available_bytes)

    if size is None:
        assert available_bytes < 9 * LEAST_BUFFER_BYTES
    else:
        assert LEAST_BUFFER_BYTES <= size <= min(MOST_BUFFER_BYTES, available_bytes // 8)
