"""Streamed text gathered to the frame: however fast tokens come, the transcript changes at most once a frame."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns

from PySide6.QtCore import QObject, Qt, QTimer

from runtime.values.generation import TextKind

FRAME_MS = 16
COST_SHARE = 3
"""Where a change costs more than a third of a frame, frames become longer, so that the window stays responsive."""

NS_PER_MS = 1_000_000
Delta = tuple[TextKind, str]


class DeltaBatch(QObject):
    """Gathers text and hands it over once a frame, at most one of each kind; no timer runs while none is waiting."""

    def __init__(
        self,
        take: Callable[[list[Delta]], None],
        parent: QObject,
        clock_ns: Callable[[], int] = perf_counter_ns,
    ) -> None:
        super().__init__(parent)
        self._take = take
        self._clock_ns = clock_ns
        self._waiting: dict[TextKind, str] = {}
        self._last_ns = 0
        self._cost_ms = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.flush)

    def add(self, text: str, kind: TextKind) -> None:
        """Take text; it is handed over at the next frame."""
        self._waiting[kind] = self._waiting.get(kind, "") + text
        if not self._timer.isActive():
            since_ms = (self._clock_ns() - self._last_ns) / NS_PER_MS
            frame_ms = max(FRAME_MS, COST_SHARE * self._cost_ms)
            self._timer.start(max(round(frame_ms - since_ms), 0))

    def flush(self) -> None:
        """Hand over what is waiting now."""
        self._timer.stop()
        deltas, self._waiting = list(self._waiting.items()), {}
        if not deltas:
            return
        started_ns = self._clock_ns()
        self._take(deltas)
        self._last_ns = self._clock_ns()
        self._cost_ms = (self._last_ns - started_ns) / NS_PER_MS

    def add_cost(self, nanoseconds: int) -> None:
        """Count what painting the last change cost, too."""
        self._cost_ms += nanoseconds / NS_PER_MS
