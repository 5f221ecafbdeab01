"""A model under test: loaded as its tests need it, warmed up, and loaded anew after its worker was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from runtime.bench.measurement import Meter
from runtime.bench.model_identity import ModelIdentity
from runtime.bench.progress import Activity
from runtime.bench.requests import RunStoppedError, StopSignal
from runtime.bench.workload import Workload, context_need_tokens, name_of
from runtime.client.base import EngineClient, ModelToLoad
from runtime.library.fit import ALLOCATION_STEP_TOKENS
from runtime.metrics.timeline import NS_PER_MS
from runtime.values.errors import FirstTokenError, WorkerLostError
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import LoadedModel, LoadOptions

OnActivity = Callable[[Activity, str], None]


class Variant:
    """One model of a run. Its client keeps a worker of its own, so that variants can be in memory together.

    Args:
        model: which model, and what the user chose for it.
        identity: what it is.
        client: talks to its worker.
        seed: of prompts and of sampling.
        stop: says when to give up.
    """

    def __init__(
        self, model: ModelToLoad, identity: ModelIdentity, client: EngineClient, seed: int, stop: StopSignal
    ) -> None:
        self.model = model
        self.identity = identity
        self.client = client
        self.loaded: LoadedModel | None = None
        self.bandwidth: MemoryBandwidth | None = None
        self.peak_flops: float | None = None
        """What its device can compute, floating-point operations a second; None as long as that is not known."""
        self._seed = seed
        self._stop = stop
        self._options: LoadOptions | None = None
        self._warm: set[str] = set()

    @property
    def load_ms(self) -> float | None:
        """How long the last load took, starting the worker included."""
        return None if self.loaded is None else (self.loaded.load_ended_ns - self.loaded.load_started_ns) / NS_PER_MS

    async def load(self, options: LoadOptions) -> None:
        """Load the model in a fresh worker.

        Raises:
            FirstTokenError: it cannot be loaded.
            RunStoppedError: the run was cancelled.
        """
        self._stop.check()
        self.loaded, self._options = None, options
        self._warm.clear()
        task = asyncio.ensure_future(self.client.load(msgspec.structs.replace(self.model, options=options)))
        self._stop.watch(task)
        try:
            self.loaded = await task
        except asyncio.CancelledError:
            if self._stop.requested:
                raise RunStoppedError from None
            raise
        finally:
            self._stop.forget(task)

    async def ready(self, options: LoadOptions, on_activity: OnActivity) -> None:
        """Have the model loaded with `options`; does nothing if it is.

        Raises:
            FirstTokenError: it cannot be loaded.
            RunStoppedError: the run was cancelled.
        """
        if self.loaded is None or self._options != options:
            on_activity(Activity.LOADING, "")
            await self.load(options)

    async def warm_up(self, workload: Workload, on_activity: OnActivity) -> None:
        """Have the model run what `workload` needs once; does nothing if it has since it was loaded."""
        shape = name_of(workload).partition("@d")[0]
        if shape not in self._warm:
            on_activity(Activity.WARMING_UP, name_of(workload))
            await self.meter().warm_up(workload)
            self._warm.add(shape)

    def meter(self) -> Meter:
        """Return what measures on the loaded model."""
        if self.loaded is None:
            raise RuntimeError("measured before it was loaded")
        return Meter(self.client, self.loaded, self._seed, self._stop)

    async def measure_bandwidth(self) -> None:
        """Find out how fast the model's memory can be read, once."""
        if self.bandwidth is None:
            self.bandwidth = await self.client.measure_bandwidth()
            self.peak_flops = None if self.bandwidth is None else self.bandwidth.flops_per_second

    def note_failure(self, error: FirstTokenError) -> None:
        """Take notice of a failure: a lost worker has to be replaced."""
        if isinstance(error, WorkerLostError):
            self.loaded = None

    async def release(self) -> None:
        """Give back everything the model takes."""
        self.loaded = None
        await self.client.unload()

    async def close(self) -> None:
        """Give everything back for good."""
        self.loaded = None
        await self.client.close()


def load_options(chosen: LoadOptions, workloads: Sequence[Workload], parallel: int, limit: int | None) -> LoadOptions:
    """Return how to load a model for `workloads`: with as much context as they need, unless the user chose one.

    Args:
        chosen: what the user chose.
        workloads: what will be measured.
        parallel: how many requests run at once.
        limit: the model's own context; None where it is not stated.
    """
    context = chosen.context_tokens
    if context is None:
        need = max(map(context_need_tokens, workloads))
        steps = -(-need // ALLOCATION_STEP_TOKENS) * ALLOCATION_STEP_TOKENS
        context = steps if limit is None else min(steps, limit)
    return msgspec.structs.replace(chosen, context_tokens=context, parallel_requests=parallel, requested_ns=None)
