"""A clock that moves only when someone sleeps: timings to the nanosecond, and no waiting."""

from __future__ import annotations


class VirtualClock:
    """`now_ns` and `sleep_s` for whatever takes a clock."""

    def __init__(self) -> None:
        self.time_ns = 0

    def now_ns(self) -> int:
        """Return the time, in ns."""
        return self.time_ns

    def sleep_s(self, seconds: float) -> None:
        """Move the time on."""
        self.time_ns += round(seconds * 1e9)
