"""The same request along different paths: an engine looped in this process, and through a worker and its client."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter_ns

import msgspec

from runtime.client.base import ModelToLoad
from runtime.client.worker_client import WorkerClient
from runtime.engine.base import Engine
from runtime.engine.registry import create_engine
from runtime.values.errors import error_from
from runtime.values.generation import Failed, Finished, GenerateRequest, GenerationStats, TextDelta
from runtime.values.model import EngineName, LoadOptions
from runtime.values.prompt import Prompt
from runtime.values.sampling import GREEDY
from runtime.worker.child import WORKER_ENVIRONMENT, WorkerChild, WorkerExit, worker_command, worker_environment
from runtime.worker.protocol import FromWorker


def request_for(prompt: Prompt, tokens: int) -> GenerateRequest:
    """Return a greedy request for exactly `tokens` tokens, nothing cached."""
    return GenerateRequest(
        id=1,
        prompt=prompt,
        submitted_ns=perf_counter_ns(),
        max_tokens=tokens,
        sampling=GREEDY,
        ignore_end_token=True,
        reuse_cache=False,
    )


class DirectPath:
    """An engine in this process, stepped in a bare loop."""

    def __init__(self, name: EngineName, path: Path, options: LoadOptions) -> None:
        os.environ.update(WORKER_ENVIRONMENT)
        self._engine: Engine = create_engine(name)
        self._engine.load(path, options, lambda _: None)

    def run(self, prompt: Prompt, tokens: int) -> GenerationStats:
        """Return the figures of one reply."""
        self._engine.submit(request_for(prompt, tokens))
        while self._engine.busy():
            for event in self._engine.step():
                match event:
                    case Finished(stats=stats):
                        return stats
                    case Failed(error=report):
                        raise error_from(report)
        raise AssertionError("unreachable: a request ends in a terminal event")

    def close(self) -> None:
        """Drop the model."""
        self._engine.unload()


class WorkerPath:
    """The product's path: a worker process and its async client."""

    def __init__(
        self, name: EngineName, path: Path, options: LoadOptions, environment: Mapping[str, str] | None = None
    ) -> None:
        """Load a model in a worker; what `environment` holds takes precedence over what workers are told."""
        self._environment = environment or {}
        self._runner = asyncio.Runner()
        self._client = self._runner.run(self._start(ModelToLoad(engine=name, path=str(path), options=options)))
        self.arrivals = 0
        self.client_ttft_ms = 0.0
        self.client_seconds = 0.0

    async def _start(self, model: ModelToLoad) -> WorkerClient:
        client = await WorkerClient.start(self._start_child)
        await client.load(model)
        return client

    def run(self, prompt: Prompt, tokens: int) -> GenerationStats:
        """Return the figures of one reply; `client_ttft_ms` and `client_seconds` are this side's own clock."""
        return self.answer(request_for(prompt, tokens))

    def answer(self, request: GenerateRequest) -> GenerationStats:
        """Return the figures of the reply to a request."""
        return self._runner.run(self._run(request))

    async def _run(self, request: GenerateRequest) -> GenerationStats:
        first_ns = 0
        self.arrivals = 0
        async for event in await self._client.generate(
            msgspec.structs.replace(request, submitted_ns=perf_counter_ns())
        ):
            match event:
                case TextDelta(token_times_ns=times) if times:
                    now = perf_counter_ns()
                    first_ns = first_ns or now
                    self.arrivals += len(times)
                    self.client_seconds = (now - first_ns) / 1e9
                case Finished(stats=stats):
                    self.client_ttft_ms = (first_ns - request.submitted_ns) / 1e6
                    return stats
                case Failed(error=report):
                    raise error_from(report)
        raise AssertionError("unreachable: a reply ends in a terminal event")

    def close(self) -> None:
        """End the worker."""
        self._runner.run(self._client.close())
        self._runner.close()

    def _start_child(
        self, on_messages: Callable[[list[FromWorker]], None], on_exit: Callable[[WorkerExit], None]
    ) -> WorkerChild:
        environment = {**worker_environment(os.environ), **self._environment}
        return WorkerChild(worker_command(), environment, on_messages, on_exit)
