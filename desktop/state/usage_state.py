"""What is learned while models are used: when each was loaded, how fast memory is, and how fast replies came.

The picker foretells from it how fast other models will be. Everything is written off the window's thread, and none of
it is worth a message when it cannot be: the log says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from threading import Lock

import msgspec
from PySide6.QtCore import QObject

from desktop.state.engine_state import EngineState, EngineStatus, Serving
from desktop.state.metrics_state import MetricsState
from desktop.tasks import Tasks
from runtime.config.paths import AppPaths
from runtime.library.last_used import record_use
from runtime.library.predictions import read_history, with_reply, write_history
from runtime.metrics.device import DeviceInfo, read_device
from runtime.values.errors import StoreError
from runtime.values.generation import GenerationStats
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import LoadedModel

log = logging.getLogger("first-token")


class UsageState(QObject):
    """Watches loads and replies, and keeps what they teach."""

    def __init__(
        self, paths: AppPaths, engine: EngineState, metrics: MetricsState, tasks: Tasks, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._paths = paths
        self._engine = engine
        self._metrics = metrics
        self._tasks = tasks
        self._writing = Lock()
        self._device: DeviceInfo | None = None
        self._was_generating = False
        self._bandwidth: MemoryBandwidth | None = None
        engine.status_changed.connect(self._note_load)
        metrics.changed.connect(self._note_figures)

    def _note_load(self, status: EngineStatus) -> None:
        path = self._engine.model_path
        if isinstance(status, Serving) and path is not None:
            self._write(lambda: record_use(self._paths, path), "note that a model was used")

    def _note_figures(self) -> None:
        figures, model = self._metrics.figures, self._engine.model
        has_ended = self._was_generating and not figures.is_generating
        self._was_generating = figures.is_generating
        has_measured = figures.bandwidth is not None and figures.bandwidth != self._bandwidth
        self._bandwidth = figures.bandwidth
        if model is None or figures.bandwidth is None or not (has_measured or (has_ended and figures.stats)):
            return
        bandwidth, stats = figures.bandwidth, figures.stats if has_ended else None
        self._write(lambda: self._learn(model, bandwidth, stats), "keep how fast a reply came")

    def _learn(self, model: LoadedModel, bandwidth: MemoryBandwidth, stats: GenerationStats | None) -> None:
        self._device = self._device or read_device()
        learn(self._paths, self._device, model, bandwidth, stats)

    def _write(self, write: Callable[[], None], name: str) -> None:
        async def written() -> None:
            try:
                await asyncio.to_thread(self._one_at_a_time, write)
            except StoreError:
                log.warning("could not %s", name, exc_info=True)

        self._tasks.start(written(), name)

    def _one_at_a_time(self, write: Callable[[], None]) -> None:
        with self._writing:
            write()


def learn(
    paths: AppPaths,
    device: DeviceInfo,
    model: LoadedModel,
    bandwidth: MemoryBandwidth,
    stats: GenerationStats | None,
) -> None:
    """Keep what was measured with `model` on `device`, and what a reply of it came to if `stats` say so.

    Raises:
        StoreError: the file cannot be written.
    """
    before = read_history(paths, device, model.engine)
    after = msgspec.structs.replace(before, bandwidth=bandwidth, working_set_bytes=model.working_set_bytes)
    if stats is not None:
        after = with_reply(after, stats, model, bandwidth)
    if after != before:
        write_history(paths, device, model.engine, after)
