"""Memory of processes as the operating system sees it, and its peak over a stretch of time."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns

import psutil

SAMPLE_INTERVAL_NS = 100_000_000


def resident_bytes_reader(pid: int | None = None) -> Callable[[], int]:
    """Return a function that reads the resident memory of process `pid` (this one by default), in bytes."""
    process = psutil.Process(pid)
    return lambda: int(process.memory_info().rss)


def tree_resident_bytes_reader(pid: int) -> Callable[[], int]:
    """Return a function that reads the resident memory of process `pid` and all its descendants together, in bytes.

    Descendants are those of now: looking for them means looking at every process of the machine. What has ended since
    counts as 0.
    """
    try:
        parent = psutil.Process(pid)
        processes = (parent, *parent.children(recursive=True))
    except psutil.Error:
        processes = ()
    return lambda: sum(_resident_bytes(process) for process in processes)


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


class PeakMeter:
    """Largest resident memory seen since the meter was made; looks at most every 100 ms."""

    def __init__(self, read: Callable[[], int], clock_ns: Callable[[], int] = perf_counter_ns) -> None:
        self._read = read
        self._clock_ns = clock_ns
        self._due_ns = 0
        self.latest_bytes = 0
        self.peak_bytes = 0
        self.sample()

    def sample(self) -> None:
        """Look now."""
        self.latest_bytes = self._read()
        self.peak_bytes = max(self.peak_bytes, self.latest_bytes)
        self._due_ns = self._clock_ns() + SAMPLE_INTERVAL_NS

    def sample_if_due(self) -> None:
        """Look if the last look is 100 ms old; cheap enough to call for every token."""
        if self._clock_ns() >= self._due_ns:
            self.sample()
