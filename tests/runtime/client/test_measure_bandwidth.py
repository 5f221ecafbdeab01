"""Memory bandwidth through a real worker: measured while it is idle, and never in the way of a reply."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from runtime.client.base import Reply
from runtime.client.supervisor import Supervisor
from runtime.client.worker_client import WorkerClient
from runtime.engine.scripted_engine import Script
from runtime.metrics.bandwidth import MB
from runtime.values.errors import WorkerLostError
from runtime.values.generation import Finished, GenerateRequest, TextDelta
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import EngineName
from runtime.values.prompt import TextPrompt
from runtime.values.sampling import GREEDY
from tests.runtime.client.real_models import ENGINES, model_at, write_model
from tests.runtime.client.scripted_worker import ask, scripted_model, start_child, worker

SPEED = 40e9
QUICK = Script(memory_bytes_per_second=SPEED, cached_bytes=32 * MB, decode_tokens_per_second=2000)
SLOW_TO_MEASURE = Script(memory_bytes_per_second=SPEED, memory_rounds_s=0.05, decode_tokens_per_second=2000)
MUCH_TO_SAY = Script(replies=(("x",) * 100,), memory_bytes_per_second=SPEED, decode_tokens_per_second=400)


async def is_finished(reply: Reply) -> bool:
    events = [event async for event in reply]
    return isinstance(events[-1], Finished)


async def test_the_figure_comes_from_the_worker(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, QUICK))
        bandwidth = await client.measure_bandwidth()

    assert bandwidth is not None
    assert (bandwidth.bytes_per_second, bandwidth.cached_bytes) == (SPEED, 32 * MB)


@pytest.mark.parametrize("load", [True, False])
async def test_without_anything_to_measure_there_is_no_figure(tmp_path: Path, load: bool) -> None:
    async with worker() as client:
        if load:
            await client.load(scripted_model(tmp_path, Script()))
        assert await client.measure_bandwidth() is None


async def test_a_reply_that_is_asked_for_during_a_measurement_goes_first(tmp_path: Path) -> None:
    ended: list[str] = []

    async def note(work: asyncio.Task[bool] | asyncio.Task[MemoryBandwidth | None], name: str) -> None:
        assert await work
        ended.append(name)

    async with worker() as client:
        await client.load(scripted_model(tmp_path, SLOW_TO_MEASURE))
        measuring = asyncio.create_task(client.measure_bandwidth())
        await asyncio.sleep(0)  # The request is on its way now.
        replying = asyncio.create_task(is_finished(await client.generate(ask())))
        await asyncio.gather(note(measuring, "measurement"), note(replying, "reply"))

    assert ended == ["reply", "measurement"]


async def test_a_measurement_waits_for_the_reply_under_way(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, MUCH_TO_SAY))
        reply = await client.generate(ask())
        measuring = asyncio.create_task(client.measure_bandwidth())
        before = [measuring.done() async for _ in reply]

        assert not any(before)
        assert await measuring is not None


async def test_several_requests_are_answered_by_one_measurement(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, QUICK))
        figures = await asyncio.gather(*(client.measure_bandwidth() for _ in range(3)))

    assert figures[0] is not None
    assert figures == [figures[0]] * 3


async def test_a_model_that_goes_before_it_is_measured_has_no_figure(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, SLOW_TO_MEASURE))
        measuring = asyncio.create_task(client.measure_bandwidth())
        await asyncio.sleep(0)
        await client.unload()

        assert await measuring is None


async def test_a_worker_that_dies_while_it_measures_is_lost_to_who_asked(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, SLOW_TO_MEASURE))
        measuring = asyncio.create_task(client.measure_bandwidth())
        await asyncio.sleep(0)
        os.kill(client.pid, signal.SIGKILL)
        with pytest.raises(WorkerLostError):
            await measuring


async def test_a_supervisor_starts_no_worker_for_it(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda: WorkerClient.start(start_child))
    assert await supervisor.measure_bandwidth() is None
    await supervisor.load(scripted_model(tmp_path, QUICK))
    assert await supervisor.measure_bandwidth() is not None
    await supervisor.close()
    assert await supervisor.measure_bandwidth() is None


async def text_of(client: WorkerClient) -> str:
    request = GenerateRequest(
        id=0,
        prompt=TextPrompt("some words and a few more"),
        submitted_ns=0,
        max_tokens=40,
        sampling=GREEDY,
        reuse_cache=False,
        ignore_end_token=True,
    )
    events = [event async for event in await client.generate(request)]
    assert isinstance(events[-1], Finished), events[-1]
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.mark.parametrize("engine", ENGINES)
async def test_real_engines_say_the_same_while_a_measurement_is_wanted(tmp_path: Path, engine: EngineName) -> None:
    path = write_model(tmp_path, engine)
    async with worker() as client:
        await client.load(model_at(path, engine, context_tokens=512))
        alone = await text_of(client)
        measuring = asyncio.create_task(client.measure_bandwidth())
        during = [await text_of(client) for _ in range(5)]
        bandwidth = await measuring

    assert during == [alone] * 5
    assert bandwidth is not None
    assert bandwidth.bytes_per_second > 1e8
