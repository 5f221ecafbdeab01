"""The whole path through a real worker process: events, figures, cancelling, and every way a worker can die."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns

import msgspec
import psutil
import pytest

from runtime.client.base import ModelToLoad, Reply
from runtime.client.worker_client import WorkerClient
from runtime.engine.scripted_engine import Script
from runtime.values.errors import EngineUnavailableError, InternalError, ModelMissingError, WorkerLostError
from runtime.values.generation import (
    Cancelled,
    Failed,
    Finished,
    GenerationEvent,
    MemoryFigures,
    PromptProgress,
    TextDelta,
)
from runtime.values.model import EngineName, LoadOptions
from runtime.values.prompt import TextPrompt
from runtime.worker.child import WorkerChild, WorkerExit
from runtime.worker.protocol import PROTOCOL_VERSION, FromWorker, Ready
from tests.runtime.client.scripted_worker import ask, scripted_model, start_child, worker

QUICK = Script(replies=(tuple("Hello, world"),), prefill_tokens_per_second=1e6, decode_tokens_per_second=2000)
SLOW = Script(replies=(("x",) * 10_000,), prefill_tokens_per_second=1e6, decode_tokens_per_second=100)
SLOW_PREFILL = Script(prefill_tokens_per_second=10, prefill_chunk_tokens=1)


async def all_events(reply: Reply) -> list[GenerationEvent]:
    return [event async for event in reply]


def text_of(events: list[GenerationEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def first_of(reply: Reply, kind: type[GenerationEvent]) -> None:
    async for event in reply:
        if isinstance(event, kind):
            return


async def test_a_reply_streams_from_another_process_and_ends_once(tmp_path: Path) -> None:
    async with worker() as client:
        loaded = await client.load(scripted_model(tmp_path, QUICK))
        events = await all_events(await client.generate(ask()))

    assert loaded.engine is EngineName.SCRIPTED
    assert text_of(events) == "Hello, world"
    assert isinstance(events[-1], Finished)
    assert sum(isinstance(event, Finished | Cancelled | Failed) for event in events) == 1


async def test_worker_stamps_lie_between_the_submit_and_the_arrival(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, QUICK))
        request = ask()
        arrivals: list[tuple[int, int]] = []
        async for event in await client.generate(request):
            if isinstance(event, TextDelta):
                arrivals += [(stamp, perf_counter_ns()) for stamp in event.token_times_ns]

    assert len(arrivals) == len("Hello, world")
    assert all(request.submitted_ns < stamp < arrival for stamp, arrival in arrivals)


async def test_a_stalled_consumer_does_not_change_the_stamps(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, QUICK))
        reply = await client.generate(ask())
        time.sleep(2)  # noqa: ASYNC251 - the point: the loop, as a busy window's, does nothing for two seconds
        woke_ns = perf_counter_ns()
        events = await all_events(reply)
    stamps = [stamp for event in events if isinstance(event, TextDelta) for stamp in event.token_times_ns]

    assert len(stamps) == len("Hello, world")
    assert stamps[-1] < woke_ns
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.stats.decode_tokens_per_second == pytest.approx((len(stamps) - 1) * 1e9 / (stamps[-1] - stamps[0]))
    assert end.stats.token_times_ms[-1] < 2000


async def test_cancel_ends_a_reply_early_with_its_figures(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, SLOW))
        reply = await client.generate(ask())
        await first_of(reply, TextDelta)
        reply.cancel()
        events = await all_events(reply)
        reply.cancel()
        again = await all_events(await client.generate(ask(max_tokens=2)))

    assert isinstance(events[-1], Cancelled)
    assert events[-1].stats is not None
    assert events[-1].stats.generated_tokens < 10_000
    assert text_of(again) == "xx"


async def test_cancel_during_prefill(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, SLOW_PREFILL))
        reply = await client.generate(ask("word " * 1000))
        await first_of(reply, PromptProgress)
        reply.cancel()
        events = await all_events(reply)

    assert isinstance(events[-1], Cancelled)
    assert text_of(events) == ""


async def test_two_replies_run_at_the_same_time(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, QUICK, LoadOptions(parallel_requests=2)))
        replies = [await client.generate(ask()) for _ in range(2)]
        both = await asyncio.gather(*(all_events(reply) for reply in replies))

    assert [text_of(events) for events in both] == ["Hello, world"] * 2


async def test_memory_is_reported_while_a_reply_runs(tmp_path: Path) -> None:
    samples: list[MemoryFigures] = []
    async with worker(samples.append) as client:
        await client.load(scripted_model(tmp_path, SLOW))
        await all_events(await client.generate(ask(max_tokens=60)))
        resident = psutil.Process(client.pid).memory_info().rss

    assert len(samples) >= 2
    assert samples[-1].kv_cache_bytes > 0
    assert 0.3 < samples[-1].worker_resident_bytes / resident < 3
    assert samples[-1].peak_bytes >= samples[-1].worker_resident_bytes


async def test_what_cannot_be_loaded_leaves_a_worker_that_can_load_another(tmp_path: Path) -> None:
    async with worker() as client:
        with pytest.raises(EngineUnavailableError):
            await client.count_tokens(TextPrompt("hello"))
        with pytest.raises(ModelMissingError):
            await client.load(ModelToLoad(engine=EngineName.SCRIPTED, path=str(tmp_path / "absent")))
        await client.load(scripted_model(tmp_path, QUICK))
        assert await client.count_tokens(TextPrompt("two words")) == 2
        await client.unload()
        events = await all_events(await client.generate(ask()))

    assert isinstance(events[-1], Failed)
    assert events[-1].error.code == "engine-unavailable"


async def test_unloading_ends_the_replies_that_run(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, SLOW))
        reply = await client.generate(ask())
        await first_of(reply, TextDelta)
        await client.unload()
        events = await all_events(reply)

    assert isinstance(events[-1], Cancelled)


async def kill_and_expect_failure(client: WorkerClient, reply: Reply) -> None:
    os.kill(client.pid, signal.SIGKILL)
    events = await asyncio.wait_for(all_events(reply), 20)
    assert isinstance(events[-1], Failed)
    assert events[-1].error.code == "worker-lost"
    with pytest.raises(WorkerLostError):
        await client.generate(ask())


async def test_a_worker_killed_while_it_writes(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, SLOW))
        reply = await client.generate(ask())
        await first_of(reply, TextDelta)
        await kill_and_expect_failure(client, reply)


async def test_a_worker_killed_while_it_reads(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, SLOW_PREFILL))
        reply = await client.generate(ask("word " * 1000))
        await first_of(reply, PromptProgress)
        await kill_and_expect_failure(client, reply)


async def test_a_worker_killed_before_and_while_it_loads(tmp_path: Path) -> None:
    model = scripted_model(tmp_path, Script(load_s=60))
    async with worker() as client:
        os.kill(client.pid, signal.SIGKILL)
        with pytest.raises(WorkerLostError):
            await asyncio.wait_for(client.load(model), 20)
    async with worker() as client:
        progressed = asyncio.Event()
        loading = asyncio.create_task(client.load(model, lambda _: progressed.set()))
        await asyncio.sleep(0.2)
        os.kill(client.pid, signal.SIGKILL)
        with pytest.raises(WorkerLostError):
            await asyncio.wait_for(loading, 20)


async def test_a_worker_that_never_starts_is_an_error_not_a_hang() -> None:
    with pytest.raises(WorkerLostError) as caught:
        await WorkerClient.start(
            lambda on_messages, on_exit: WorkerChild(
                [sys.executable, "-c", "import sys; sys.exit('no engine today')"], os.environ, on_messages, on_exit
            )
        )
    assert "no engine today" in caught.value.detail


def speaking(line: str) -> Callable[..., WorkerChild]:
    """Return what starts a worker that says `line` instead of hello, and waits."""
    program = f"import sys; print({line!r}, flush=True); sys.stdin.read()"
    return lambda on_messages, on_exit: WorkerChild([sys.executable, "-c", program], os.environ, on_messages, on_exit)


async def test_a_worker_of_another_version_is_refused() -> None:
    ready = msgspec.json.encode(Ready(PROTOCOL_VERSION + 1, 1)).decode()
    with pytest.raises(InternalError, match=f"speaks protocol {PROTOCOL_VERSION + 1}"):
        await asyncio.wait_for(WorkerClient.start(speaking(ready)), 20)


@pytest.mark.parametrize("line", ["Segmentation fault?", '{"type":"FromTheFuture"}', "{}"])
async def test_a_worker_that_cannot_be_understood_is_given_up(line: str) -> None:
    with pytest.raises(WorkerLostError) as caught:
        await asyncio.wait_for(WorkerClient.start(speaking(line)), 20)
    assert "not understood" in caught.value.detail


async def test_giving_up_in_the_very_moment_a_worker_is_ready_ends_it() -> None:
    pids: list[int] = []

    def start_and_give_up(
        on_messages: Callable[[list[FromWorker]], None], on_exit: Callable[[WorkerExit], None]
    ) -> WorkerChild:
        def pass_on_and_cancel(messages: list[FromWorker]) -> None:
            # Both in one turn of the loop: the message wakes the one who waits for it, who is cancelled before it runs.
            on_messages(messages)
            loop.call_soon(starting.cancel)

        def pass_to_loop(messages: list[FromWorker]) -> None:
            loop.call_soon_threadsafe(pass_on_and_cancel, messages)

        child = start_child(pass_to_loop, on_exit)
        pids.append(child.pid)
        return child

    loop = asyncio.get_running_loop()
    starting = asyncio.create_task(WorkerClient.start(start_and_give_up))
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not psutil.pid_exists(pids[0])


async def test_closing_twice_and_closing_a_dead_worker_are_fine() -> None:
    client = await WorkerClient.start(start_child)
    os.kill(client.pid, signal.SIGKILL)
    await client.close()
    await client.close()
    assert not client.alive
