"""An `EngineClient` that outlives its workers.

One worker a loaded model: loading another model ends the old worker, since the end of a process is the only sure way to
give memory back. A worker that dies takes its open replies with it (each gets `Failed`); the next request starts a new
one and loads the same model again, up to a limit, so that a model that always crashes does not crash for ever.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic, perf_counter_ns

import msgspec

from runtime.client.base import ModelToLoad, ProgressCallback
from runtime.client.worker_client import WorkerClient, WorkerReply
from runtime.values.errors import EngineUnavailableError, WorkerLostError
from runtime.values.generation import GenerateRequest
from runtime.values.kv_cache import KeptCache
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import LoadedModel
from runtime.values.prompt import Prompt


class RestartLimit(msgspec.Struct, frozen=True):
    """At most `restarts` restarts in any `window_s` seconds."""

    restarts: int = 3
    window_s: float = 300.0


class Supervisor:
    """Keeps a worker running for the model the user chose."""

    def __init__(
        self,
        start_worker: Callable[[], Awaitable[WorkerClient]],
        limit: RestartLimit | None = None,
        clock_s: Callable[[], float] = monotonic,
    ) -> None:
        self._start_worker = start_worker
        self._limit = limit or RestartLimit()
        self._clock_s = clock_s
        self._worker: WorkerClient | None = None
        self._model: ModelToLoad | None = None
        self._restarts: deque[float] = deque()
        self._starting = asyncio.Lock()

    @property
    def worker_pid(self) -> int | None:
        """Process id of the running worker."""
        return self._worker.pid if self._worker is not None and self._worker.alive else None

    async def load(self, model: ModelToLoad, on_progress: ProgressCallback | None = None) -> LoadedModel:
        """See `EngineClient.load`. The worker of the model before is ended first."""
        async with self._starting:
            self._restarts.clear()
            _, loaded = await self._start(model, on_progress)
            return loaded

    async def generate(self, request: GenerateRequest) -> WorkerReply:
        """See `EngineClient.generate`. A dead worker is replaced first; the wait shows as load time."""
        return await (await self._serving()).generate(request)

    async def count_tokens(self, prompt: Prompt) -> int:
        """See `EngineClient.count_tokens`."""
        return await (await self._serving()).count_tokens(prompt)

    async def tokenize(self, prompt: Prompt) -> tuple[int, ...]:
        """See `EngineClient.tokenize`."""
        return await (await self._serving()).tokenize(prompt)

    async def measure_bandwidth(self) -> MemoryBandwidth | None:
        """See `EngineClient.measure_bandwidth`. No worker is started for it."""
        worker = self._worker
        return await worker.measure_bandwidth() if worker is not None and worker.alive else None

    async def kept_caches(self) -> tuple[KeptCache, ...]:
        """See `EngineClient.kept_caches`. No worker is started for it."""
        worker = self._worker
        return await worker.kept_caches() if worker is not None and worker.alive else ()

    async def forget_caches(self, conversation: str | None) -> None:
        """See `EngineClient.forget_caches`. A worker that is gone keeps nothing."""
        worker = self._worker
        if worker is not None and worker.alive:
            await worker.forget_caches(conversation)

    async def unload(self) -> None:
        """End the worker, and with it everything the model took."""
        async with self._starting:
            self._model = None
            await self._stop()

    async def close(self) -> None:
        """See `EngineClient.close`."""
        await self.unload()

    async def _serving(self) -> WorkerClient:
        async with self._starting:
            if self._worker is not None and self._worker.alive:
                return self._worker
            if self._model is None:
                raise EngineUnavailableError("No model is loaded.", "Choose a model first.")
            self._count_restart()
            worker, _ = await self._start(self._model, None)
            return worker

    def _count_restart(self) -> None:
        now = self._clock_s()
        while self._restarts and now - self._restarts[0] > self._limit.window_s:
            self._restarts.popleft()
        if len(self._restarts) >= self._limit.restarts:
            raise WorkerLostError(
                f"This model's worker ended {self._limit.restarts + 1} times within a few minutes.",
                "Load another model, or this one with a shorter context.",
            )
        self._restarts.append(now)

    async def _start(
        self, model: ModelToLoad, on_progress: ProgressCallback | None
    ) -> tuple[WorkerClient, LoadedModel]:
        options = msgspec.structs.replace(model.options, requested_ns=perf_counter_ns())
        await self._stop()
        self._model = model
        self._worker = worker = await self._start_worker()
        try:
            return worker, await worker.load(msgspec.structs.replace(model, options=options), on_progress)
        except BaseException:
            # Also when the caller gave up: a worker without its model serves nobody.
            await self._stop()
            raise

    async def _stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.close()
