"""Workers of both engines that are killed at any stage, whose parent is killed, and whose libraries print."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import perf_counter_ns

import msgspec
import psutil
import pytest

from runtime.client.base import ModelToLoad
from runtime.client.worker_client import WorkerClient
from runtime.values.errors import WorkerLostError
from runtime.values.generation import Cancelled, Failed, Finished, GenerateRequest, GenerationEvent, TextDelta
from runtime.values.prompt import TextPrompt
from runtime.values.sampling import GREEDY
from runtime.worker.child import WorkerChild, worker_environment
from tests.models.random_gguf import ENDLESS
from tests.runtime.client.real_models import ENGINES, model_at, write_model
from tests.runtime.client.scripted_worker import worker

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL")

TIME_LIMIT_S = 60
ROOT = Path(__file__).resolve().parents[3]
LONG, SHORT = TextPrompt("word " * 1000), TextPrompt("word")


@pytest.fixture(scope="module", params=ENGINES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelToLoad:
    folder = tmp_path_factory.mktemp("models")
    return model_at(write_model(folder, request.param, ENDLESS), request.param)


def asking(prompt: TextPrompt, max_tokens: int | None = None) -> GenerateRequest:
    return GenerateRequest(id=0, prompt=prompt, submitted_ns=perf_counter_ns(), max_tokens=max_tokens, sampling=GREEDY)


def kill(client: WorkerClient) -> None:
    os.kill(client.pid, signal.SIGKILL)


async def test_killed_before_it_loads(model: ModelToLoad) -> None:
    async with worker() as client:
        kill(client)
        with pytest.raises(WorkerLostError):
            await asyncio.wait_for(client.load(model), TIME_LIMIT_S)


async def test_killed_while_it_loads(model: ModelToLoad) -> None:
    async with worker() as client:
        with pytest.raises(WorkerLostError):
            await asyncio.wait_for(client.load(model, lambda _: kill(client)), TIME_LIMIT_S)


@pytest.mark.parametrize("prompt", [LONG, SHORT], ids=["during prefill", "during decode"])
async def test_killed_while_it_answers(model: ModelToLoad, prompt: TextPrompt) -> None:
    async with worker() as client:
        await client.load(model)
        events: list[GenerationEvent] = []
        async for event in await client.generate(asking(prompt)):
            events.append(event)
            if client.alive and (prompt is LONG or isinstance(event, TextDelta)):
                kill(client)
        with pytest.raises(WorkerLostError):
            await client.generate(asking(SHORT))

    assert isinstance(events[-1], Failed)
    assert events[-1].error.code == "worker-lost"
    assert events[-1].error.next_step
    assert sum(isinstance(event, Finished | Cancelled | Failed) for event in events) == 1
    assert any(isinstance(event, TextDelta) for event in events) == (prompt is SHORT)


PARENT = """
import asyncio, sys
import msgspec
from runtime.client.base import ModelToLoad
from runtime.client.worker_client import WorkerClient
from tests.runtime.client.scripted_worker import start_child
from tests.runtime.client.test_lost_workers import SHORT, asking

async def main():
    client = await WorkerClient.start(start_child)
    await client.load(msgspec.json.decode(sys.argv[1], type=ModelToLoad))
    async for event in await client.generate(asking(SHORT)):
        print(client.pid, flush=True)

asyncio.run(main())
"""


def test_no_worker_outlives_a_parent_that_is_killed_while_it_answers(model: ModelToLoad) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, msgspec.json.encode(model).decode()],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as parent:
        assert parent.stdout is not None
        process = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        alive = psutil.wait_procs([process], timeout=TIME_LIMIT_S)[1]

    assert not alive


NOISY = """
import os, sys, threading, time
from runtime.worker import __main__ as entry

def make_noise():
    while True:
        os.write(1, b'native noise\\n')
        print('python noise', flush=True)
        time.sleep(0.001)

claim = entry.claim_standard_streams
def claim_then_print():
    streams = claim()
    threading.Thread(target=make_noise, daemon=True).start()
    return streams
entry.claim_standard_streams = claim_then_print
sys.exit(entry.main())
"""


async def test_what_libraries_print_does_not_reach_the_channel(model: ModelToLoad) -> None:
    client = await WorkerClient.start(
        lambda on_messages, on_exit: WorkerChild(
            [sys.executable, "-c", NOISY], worker_environment(os.environ), on_messages, on_exit
        )
    )
    try:
        await client.load(model)
        events = [event async for event in await client.generate(asking(SHORT, max_tokens=20))]
    finally:
        await client.close()

    assert isinstance(events[-1], Finished)
    assert events[-1].stats.generated_tokens == 20
