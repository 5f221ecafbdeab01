"""Measuring memory bandwidth in a worker's idle time: a piece at a time, and not at all while it has work to do.

A measurement that work interrupts gives its buffer back at once, so that the work has the memory and the caches to
itself, and begins anew when the worker is idle again.
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.metrics.bandwidth import BandwidthMeasurement, MemoryReader
from runtime.worker.protocol import BandwidthMeasured


class IdleMeasurement:
    """Requests for the bandwidth, all answered by the same measurement.

    `open_reader` returns what is to be read; None where nothing can be.
    """

    def __init__(self, open_reader: Callable[[], MemoryReader | None]) -> None:
        self._open_reader = open_reader
        self._waiting: list[int] = []
        self._measurement: BandwidthMeasurement | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether `step` has something to do."""
        return bool(self._waiting)

    def ask(self, request_id: int) -> None:
        """Have `request_id` answered by the figure."""
        self._waiting.append(request_id)

    def step(self) -> list[BandwidthMeasured]:
        """Do the next piece, a few hundredths of a second long; return the answers after the last one."""
        if self._measurement is None:
            reader = self._open_reader()
            if reader is None:
                return self.give_up()
            self._measurement = BandwidthMeasurement(reader)
        bandwidth = self._measurement.step()
        if bandwidth is None:
            return []
        self.interrupt()
        return [BandwidthMeasured(request_id, bandwidth) for request_id in self._taken()]

    def interrupt(self) -> None:
        """Make room for work. The requests stay."""
        measurement, self._measurement = self._measurement, None
        if measurement is not None:
            measurement.close()

    def give_up(self) -> list[BandwidthMeasured]:
        """Return answers without a figure: nothing can be measured here, or no longer."""
        self.interrupt()
        return [BandwidthMeasured(request_id, None) for request_id in self._taken()]

    def _taken(self) -> list[int]:
        waiting, self._waiting = self._waiting, []
        return waiting
