"""Resident memory of a process and its descendants, and the peak of what is read."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from runtime.metrics.memory import SAMPLE_INTERVAL_NS, PeakMeter, resident_bytes_reader, tree_resident_bytes_reader

GROWN_BYTES = 60_000_000
HOLDS_MEMORY = f"held = bytearray({GROWN_BYTES}); print('ready', flush=True); input()"
STARTS_THE_HOLDER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLDS_MEMORY!r}])"


def test_a_tree_is_read_with_its_descendants_and_ended_ones_count_nothing() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_THE_HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        read = tree_resident_bytes_reader(parent.pid)
        alone_bytes = psutil.Process(parent.pid).memory_info().rss
        assert read() > alone_bytes + GROWN_BYTES
        parent.communicate(b"\n")
    assert read() == 0
    assert tree_resident_bytes_reader(parent.pid)() == 0


def test_this_process_is_the_default() -> None:
    own = psutil.Process(os.getpid()).memory_info().rss

    assert 0.5 < resident_bytes_reader()() / own < 2


def test_the_peak_looks_at_most_ten_times_a_second_and_never_falls() -> None:
    now_ns, readings = 0, iter([50, 90, 70, 60])
    meter = PeakMeter(lambda: next(readings), lambda: now_ns)
    assert (meter.latest_bytes, meter.peak_bytes) == (50, 50)

    meter.sample_if_due()
    assert meter.peak_bytes == 50
    now_ns = SAMPLE_INTERVAL_NS
    meter.sample_if_due()
    assert meter.peak_bytes == 90
    meter.sample()
    assert (meter.latest_bytes, meter.peak_bytes) == (70, 90)
