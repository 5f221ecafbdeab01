"""A worker that runs a native llama-server: its memory is the worker's, and it ends with the worker."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from time import perf_counter_ns

import msgspec
import psutil
import pytest

from runtime.values.generation import Finished, GenerateRequest, MemoryFigures
from runtime.values.model import EngineName
from runtime.values.prompt import TextPrompt
from tests.runtime.client.real_models import model_at, write_model
from tests.runtime.client.scripted_worker import worker
from tests.runtime.engine.native_program import stand_in_program, stand_ins_below

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")

WAIT_S = 30.0


async def test_its_memory_counts_as_the_workers_and_it_ends_with_the_worker(tmp_path: Path) -> None:
    samples: list[MemoryFigures] = []
    model = model_at(write_model(tmp_path, EngineName.LLAMACPP), EngineName.LLAMACPP)
    options = msgspec.structs.replace(model.options, llama_server=str(stand_in_program(tmp_path)))
    request = GenerateRequest(id=0, prompt=TextPrompt("Hello"), submitted_ns=perf_counter_ns(), max_tokens=3)
    async with worker(samples.append) as client:
        loaded = await client.load(msgspec.structs.replace(model, options=options))
        assert loaded.engine_version.startswith("llama-server")
        (server,) = stand_ins_below(client.pid)
        together = server.memory_info().rss + psutil.Process(client.pid).memory_info().rss
        end = [event async for event in await client.generate(request)][-1]
        os.kill(client.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs([server], WAIT_S)

    assert isinstance(end, Finished)
    for memory in (samples[-1], end.stats.memory):
        assert memory.peak_bytes >= memory.worker_resident_bytes > 0.9 * together
    assert not alive
