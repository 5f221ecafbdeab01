"""How fast bytes come, over the last few seconds: a stall shows as one within five."""

from __future__ import annotations

from collections import deque

WINDOW_S = 4.0
LEAST_INTERVAL_S = 0.5
STALL_S = 3.0
BUCKET_S = 0.1


class SpeedMeter:
    """Bytes by the time they came, as far back as the window reaches. Times are seconds of any steady clock."""

    def __init__(self, started_s: float) -> None:
        self._started_s = started_s
        self._last_s = started_s
        self._buckets: deque[tuple[float, int]] = deque()

    def add(self, now_s: float, count: int) -> None:
        """Count bytes that came now."""
        self._last_s = now_s
        if self._buckets and now_s - self._buckets[-1][0] < BUCKET_S:
            begun_s, already = self._buckets[-1]
            self._buckets[-1] = begun_s, already + count
        else:
            self._buckets.append((now_s, count))
            self._forget(now_s)

    def bytes_per_second(self, now_s: float) -> float | None:
        """Return the speed over the window; None in the first half second, when it would mean nothing."""
        elapsed_s = min(WINDOW_S, now_s - self._started_s)
        if elapsed_s < LEAST_INTERVAL_S:
            return None
        return sum(count for begun_s, count in self._buckets if now_s - begun_s <= WINDOW_S) / elapsed_s

    def is_stalled(self, now_s: float) -> bool:
        """Return whether nothing came for three seconds."""
        return now_s - self._last_s >= STALL_S

    def seconds_left(self, now_s: float, left_bytes: int) -> float | None:
        """Return how long `left_bytes` will take at this speed; None if that cannot be said."""
        speed = self.bytes_per_second(now_s)
        return left_bytes / speed if speed else None

    def _forget(self, now_s: float) -> None:
        while self._buckets and now_s - self._buckets[0][0] > WINDOW_S:
            self._buckets.popleft()
