"""Memory bandwidth for the roofline: measured once for each device that models are computed on, when it is quiet.

The worker measures, and lets every reply go first; so the window only waits until the start-up is over before it asks.
What was measured holds until the app is closed. It is not kept longer: measuring takes less than a second that nobody
waits for, and a figure of another day would not show that the machine runs on battery now.
"""

from __future__ import annotations

import asyncio
import logging

from PySide6.QtCore import QObject

from desktop.state.engine_state import EngineState, EngineStatus, Serving
from desktop.state.metrics_state import MetricsState
from desktop.tasks import Tasks
from runtime.values.errors import FirstTokenError
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import EngineName, LoadedModel

log = logging.getLogger("first-token")

QUIET_S = 2.0
"""After a model is loaded: time for the window to paint and for the first message to be sent."""


class BandwidthState(QObject):
    """Tells the metrics how fast the memory is that the loaded model lies in."""

    def __init__(
        self,
        engine: EngineState,
        metrics: MetricsState,
        tasks: Tasks,
        quiet_s: float = QUIET_S,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._metrics = metrics
        self._tasks = tasks
        self._known: dict[tuple[EngineName, str], MemoryBandwidth | None] = {}
        self._quiet_s = quiet_s
        self._due: asyncio.TimerHandle | None = None
        engine.status_changed.connect(self._show)

    def _show(self, status: EngineStatus) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        model = status.model if isinstance(status, Serving) else None
        self._metrics.observe_bandwidth(self._known.get(_device(model)) if model is not None else None)
        if model is not None and _device(model) not in self._known:
            # The loop's own timer: it ends with the loop, whenever that is.
            self._due = asyncio.get_running_loop().call_later(self._quiet_s, self._begin)

    def _begin(self) -> None:
        self._tasks.start(self._measure(), "measure memory bandwidth")

    async def _measure(self) -> None:
        model = self._engine.model
        if model is None:
            return
        try:
            bandwidth = await self._engine.measure_bandwidth()
        except FirstTokenError:
            # Nobody asked for it: the reply that follows reports a lost worker, and the next load tries again.
            log.exception("memory bandwidth was not measured")
            return
        if self._engine.model == model:
            self._known[_device(model)] = bandwidth
            self._metrics.observe_bandwidth(bandwidth)


def _device(model: LoadedModel) -> tuple[EngineName, str]:
    """Return what a measurement holds for: threads and GPU are in the device's name."""
    return model.engine, model.device
