"""A supervisor outlives its workers, up to a limit, and ends the old worker when another model is loaded."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import psutil
import pytest

from runtime.client.supervisor import RestartLimit, Supervisor
from runtime.client.worker_client import WorkerClient
from runtime.engine.scripted_engine import Script
from runtime.values.errors import EngineUnavailableError, ModelMissingError, WorkerLostError
from runtime.values.generation import Finished
from tests.runtime.client.scripted_worker import ask, scripted_model, start_child

QUICK = Script(prefill_tokens_per_second=1e6, decode_tokens_per_second=2000)


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


@asynccontextmanager
async def supervisor(clock: Clock | None = None) -> AsyncIterator[Supervisor]:
    kept = Supervisor(lambda: WorkerClient.start(start_child), RestartLimit(2, 100.0), clock or Clock())
    try:
        yield kept
    finally:
        await kept.close()


async def answers(client: Supervisor) -> bool:
    events = [event async for event in await client.generate(ask())]
    return isinstance(events[-1], Finished)


def kill(client: Supervisor) -> None:
    pid = client.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


async def test_nothing_is_answered_before_a_model_is_chosen() -> None:
    async with supervisor() as client:
        with pytest.raises(EngineUnavailableError):
            await client.generate(ask())


async def test_a_dead_worker_is_replaced_up_to_the_limit(tmp_path: Path) -> None:
    clock = Clock()
    async with supervisor(clock) as client:
        await client.load(scripted_model(tmp_path, QUICK))
        for _ in range(2):
            await lose_worker(client)
            assert await answers(client)
        await lose_worker(client)
        with pytest.raises(WorkerLostError, match="3 times"):
            await client.generate(ask())
        clock.now_s = 101.0
        assert await answers(client)


async def test_a_worker_whose_end_nobody_has_heard_of_is_replaced_too(tmp_path: Path) -> None:
    async with supervisor() as client:
        await client.load(scripted_model(tmp_path, QUICK))
        pid = client.worker_pid
        kill(client)
        while client.worker_pid is not None:
            time.sleep(0.01)  # noqa: ASYNC251 - the point: nothing runs on the loop meanwhile
        assert await answers(client)
        assert client.worker_pid != pid


async def lose_worker(client: Supervisor) -> None:
    """Kill the worker and wait until the supervisor has seen it go."""
    reply = await client.generate(ask())
    kill(client)
    async for _ in reply:
        pass
    for _ in range(1000):
        if client.worker_pid is None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the supervisor never saw its worker go")


async def test_loading_another_model_ends_the_worker_of_the_first(tmp_path: Path) -> None:
    async with supervisor() as client:
        await client.load(scripted_model(tmp_path, QUICK))
        first = client.worker_pid
        await client.load(scripted_model(tmp_path, QUICK))

        assert first is not None
        assert not psutil.pid_exists(first)
        assert await answers(client)


async def test_a_model_that_does_not_load_leaves_no_worker(tmp_path: Path) -> None:
    async with supervisor() as client:
        model = scripted_model(tmp_path, QUICK)
        absent = msgspec.structs.replace(model, path=model.path + ".absent")
        with pytest.raises(ModelMissingError):
            await client.load(absent)

        assert client.worker_pid is None
