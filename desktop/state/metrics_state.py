"""The live figures of the reply under way, or the final ones of the last: everything the metrics panel shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter_ns

import msgspec
from PySide6.QtCore import QObject, Signal

from runtime.metrics.timeline import NS_PER_MS, decode_tokens_per_second, live_tokens_per_second
from runtime.values.generation import (
    Cancelled,
    Failed,
    Finished,
    GenerationEvent,
    GenerationStats,
    MemoryFigures,
    PromptProgress,
    TextDelta,
)
from runtime.values.memory_reads import MemoryBandwidth

HISTORY_SAMPLES = 120


class LiveFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What is known at one moment; None is unknown and shown as a dash.

    Attributes:
        is_generating: whether a reply is under way.
        prompt_progress: how much of the prompt is read, while it is.
        ttft_ms: submit to first token, as stamped by the worker.
        first_paint_ms: submit to the first character on the screen.
        tokens: tokens generated so far.
        tokens_per_second_now: over the last second.
        tokens_per_second_average: since the first token.
        memory: the last sample.
        bandwidth: of the memory that the loaded model lies in.
        stats: the final figures, once the reply has ended.
    """

    is_generating: bool = False
    prompt_progress: PromptProgress | None = None
    ttft_ms: float | None = None
    first_paint_ms: float | None = None
    tokens: int = 0
    tokens_per_second_now: float | None = None
    tokens_per_second_average: float | None = None
    memory: MemoryFigures | None = None
    bandwidth: MemoryBandwidth | None = None
    stats: GenerationStats | None = None


class MetricsState(QObject):
    """Turns events into figures.

    Signals:
        changed: `figures` is new.
    """

    changed = Signal()

    def __init__(self, clock_ns: Callable[[], int] = perf_counter_ns, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._clock_ns = clock_ns
        self._submitted_ns = 0
        self._awaits_paint = False
        self._token_times_ns: list[int] = []
        self.figures = LiveFigures()
        self.speed_history: deque[float | None] = deque(maxlen=HISTORY_SAMPLES)
        self.memory_history: deque[float | None] = deque(maxlen=HISTORY_SAMPLES)

    def begin(self, submitted_ns: int) -> None:
        """A reply was asked for at `submitted_ns`."""
        self._submitted_ns = submitted_ns
        self._awaits_paint = True
        self._token_times_ns = []
        self.speed_history.clear()
        self._set(LiveFigures(is_generating=True, memory=self.figures.memory, bandwidth=self.figures.bandwidth))

    def observe(self, event: GenerationEvent) -> None:
        """Take an event of the reply under way."""
        match event:
            case PromptProgress():
                self._change(prompt_progress=event)
            case TextDelta(token_times_ns=times):
                self._token_times_ns += times
                if times:
                    self._change(**self._speeds())
            case Finished(stats=stats):
                self._end(stats)
            case Cancelled(stats=stats):
                self._end(stats)
            case Failed():
                self._end(None)

    def observe_memory(self, memory: MemoryFigures) -> None:
        """Take a sample of what the model takes."""
        self.memory_history.append(float(memory.worker_resident_bytes))
        if self.figures.is_generating:
            self.speed_history.append(self.figures.tokens_per_second_now)
        self._change(memory=memory)

    def observe_bandwidth(self, bandwidth: MemoryBandwidth | None) -> None:
        """Take how fast the loaded model's memory is; None while that is not known."""
        if bandwidth != self.figures.bandwidth:
            self._change(bandwidth=bandwidth)

    def note_first_paint(self) -> None:
        """The first character of the reply is on the screen; a short reply may have ended by then."""
        if self._awaits_paint:
            self._awaits_paint = False
            self._change(first_paint_ms=(self._clock_ns() - self._submitted_ns) / NS_PER_MS)

    def forget_model(self) -> None:
        """No model is loaded any more: what it took is given back. The figures of the last reply stay."""
        self.memory_history.clear()
        self._change(memory=None, bandwidth=None)

    def show(self, stats: GenerationStats | None) -> None:
        """Show the figures of an earlier reply, when a chat is opened."""
        if not self.figures.is_generating:
            self._awaits_paint = False
            self.speed_history.clear()
            fresh = LiveFigures(memory=self.figures.memory, bandwidth=self.figures.bandwidth, stats=stats)
            self._set(msgspec.structs.replace(fresh, **_final(stats)))

    def _speeds(self) -> dict[str, float | int | None]:
        times = self._token_times_ns
        return {
            "tokens": len(times),
            "ttft_ms": (times[0] - self._submitted_ns) / NS_PER_MS,
            "tokens_per_second_now": live_tokens_per_second(times[-1000:], times[-1]),
            "tokens_per_second_average": decode_tokens_per_second(times),
        }

    def _end(self, stats: GenerationStats | None) -> None:
        self._change(
            is_generating=False, prompt_progress=None, tokens_per_second_now=None, stats=stats, **_final(stats)
        )

    def _change(self, **changes: object) -> None:
        self._set(msgspec.structs.replace(self.figures, **changes))

    def _set(self, figures: LiveFigures) -> None:
        self.figures = figures
        self.changed.emit()


def _final(stats: GenerationStats | None) -> dict[str, float | int | None]:
    if stats is None:
        return {}
    return {
        "ttft_ms": stats.ttft_ms,
        "tokens": stats.generated_tokens,
        "tokens_per_second_average": stats.decode_tokens_per_second,
    }
