"""How far a download is: written by the thread that downloads, read by whoever shows it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from runtime.download.plan import DownloadPlan
from runtime.download.speed import SpeedMeter
from runtime.download.status import DownloadState, DownloadStatus
from runtime.values.errors import UserFacingError, report_of

Clock = Callable[[], float]


class Progress:
    """Progress of one download. Any thread may call anything."""

    def __init__(self, plan: DownloadPlan, clock: Clock, on_change: Callable[[], None]) -> None:
        """Begin with nothing done.

        Args:
            plan: what is fetched.
            clock: a steady clock, in seconds.
            on_change: called after each change of state, from the thread that made it.
        """
        self._plan = plan
        self._clock = clock
        self._on_change = on_change
        self._guard = threading.Lock()
        self._state = DownloadState.CHECKING
        self._done_bytes = 0
        self._meter = SpeedMeter(clock())
        self._retry_at_s: float | None = None
        self._error: UserFacingError | None = None

    def enter(self, state: DownloadState) -> None:
        """Say that it does something else now."""
        with self._guard:
            if state is self._state:
                return
            self._state = state
            self._retry_at_s, self._error = None, None
            self._meter = SpeedMeter(self._clock())
        self._on_change()

    def wait(self, seconds: float, error: UserFacingError) -> None:
        """Say that it will try again."""
        with self._guard:
            self._state = DownloadState.WAITING
            self._retry_at_s, self._error = self._clock() + seconds, error
        self._on_change()

    def add(self, count: int) -> None:
        """Say that bytes came."""
        with self._guard:
            self._done_bytes += count
            self._meter.add(self._clock(), count)

    def correct(self, done_bytes: int) -> None:
        """Say how much is here, whenever that was not by `add`."""
        with self._guard:
            self._done_bytes = done_bytes

    @property
    def done_bytes(self) -> int:
        """Bytes that are here."""
        with self._guard:
            return self._done_bytes

    def status(self) -> DownloadStatus:
        """Return how it is now."""
        with self._guard:
            now_s = self._clock()
            runs = self._state is DownloadState.DOWNLOADING
            left = self._plan.total_bytes - self._done_bytes
            return DownloadStatus(
                plan=self._plan,
                state=self._state,
                done_bytes=self._done_bytes,
                bytes_per_second=self._meter.bytes_per_second(now_s) if runs else None,
                seconds_left=self._meter.seconds_left(now_s, left) if runs else None,
                is_stalled=runs and self._meter.is_stalled(now_s),
                retry_in_s=None if self._retry_at_s is None else max(0.0, self._retry_at_s - now_s),
                error=report_of(self._error) if self._error else None,
            )
