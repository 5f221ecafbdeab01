"""Real worker processes that run a script: what tests of the client and everything above it start."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter_ns

import msgspec

from runtime.client.base import MemoryCallback, ModelToLoad
from runtime.client.worker_client import WorkerClient
from runtime.engine.scripted_engine import Script
from runtime.values.generation import GenerateRequest
from runtime.values.model import EngineName, LoadOptions
from runtime.values.prompt import TextPrompt
from runtime.worker.child import WorkerChild, WorkerExit, worker_command, worker_environment
from runtime.worker.protocol import FromWorker


def start_child(on_messages: Callable[[list[FromWorker]], None], on_exit: Callable[[WorkerExit], None]) -> WorkerChild:
    return WorkerChild(worker_command(), worker_environment(os.environ), on_messages, on_exit)


@asynccontextmanager
async def worker(on_memory: MemoryCallback | None = None) -> AsyncIterator[WorkerClient]:
    client = await WorkerClient.start(start_child, on_memory)
    try:
        yield client
    finally:
        await client.close()


def scripted_model(folder: Path, script: Script, options: LoadOptions | None = None) -> ModelToLoad:
    path = folder / "model.script.json"
    path.write_bytes(msgspec.json.encode(script))
    return ModelToLoad(engine=EngineName.SCRIPTED, path=str(path), options=options or LoadOptions())


def ask(text: str = "some words", *, max_tokens: int | None = None) -> GenerateRequest:
    return GenerateRequest(id=0, prompt=TextPrompt(text), submitted_ns=perf_counter_ns(), max_tokens=max_tokens)
