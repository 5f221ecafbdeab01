"""The product's own benchmark, asked for single repetitions: what scripts hold against other programs' figures."""

from __future__ import annotations

import asyncio

from runtime.bench.measurement import Meter
from runtime.bench.requests import StopSignal
from runtime.bench.workload import Workload
from runtime.client.base import ModelToLoad
from runtime.client.launch import make_supervisor
from runtime.client.supervisor import Supervisor


class BuiltIn:
    """The product's benchmark, on a worker of its own."""

    def __init__(self, model: ModelToLoad, seed: int = 42) -> None:
        self._runner = asyncio.Runner()
        self._client: Supervisor = make_supervisor()
        self.model = self._runner.run(self._client.load(model))
        self._meter = Meter(self._client, self.model, seed, StopSignal())
        self._repetition = 0

    def warm_up(self, workload: Workload) -> None:
        """Have everything run once that the workload needs, as the benchmark does before the first repetition."""
        self._runner.run(self._meter.warm_up(workload))

    def speed(self, workload: Workload) -> float:
        """Return tokens per second."""
        self._repetition += 1
        return self._runner.run(self._meter.measure(workload, self._repetition)).sample.tokens_per_second

    def close(self) -> None:
        """End the worker."""
        self._runner.run(self._client.close())
        self._runner.close()
