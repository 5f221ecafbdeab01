"""A measurement gives way to work, begins anew, and fails without taking the worker with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import BinaryIO

import msgspec

from runtime.engine.scripted_engine import Script, ScriptedEngine
from runtime.metrics.bandwidth import LEAST_BUFFER_BYTES, CpuReader, MemoryReader
from runtime.values.generation import Failed, Finished, GenerateRequest
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import EngineName
from runtime.values.prompt import TextPrompt
from runtime.worker.channel import MessageWriter
from runtime.worker.host import Host, Inbox
from runtime.worker.idle_measurement import IdleMeasurement
from runtime.worker.protocol import (
    BandwidthMeasured,
    FromWorker,
    Generate,
    Load,
    MeasureBandwidth,
    ToWorker,
)

HUGE_BYTES = 1 << 60


class Opened:
    """Counts the readers it hands out, and those that were closed."""

    def __init__(self) -> None:
        self.readers: list[CpuReader] = []
        self.closed = 0

    def __call__(self) -> MemoryReader:
        """Return a new one."""
        opened = self

        class Counted(CpuReader):
            def close(self) -> None:
                opened.closed += 1
                super().close()

        self.readers.append(Counted(1, LEAST_BUFFER_BYTES))
        return self.readers[-1]


def until_answered(measurement: IdleMeasurement) -> list[BandwidthMeasured]:
    while not (answers := measurement.step()):
        pass
    return answers


def test_an_interrupted_measurement_gives_its_buffer_back_and_begins_anew() -> None:
    opened = Opened()
    measurement = IdleMeasurement(opened)
    measurement.ask(7)
    for _ in range(6):
        assert measurement.step() == []
    measurement.interrupt()
    assert (len(opened.readers), opened.closed) == (1, 1)
    assert opened.readers[0].buffer_bytes == 0
    assert measurement.is_wanted

    (answer,) = until_answered(measurement)
    assert answer.id == 7
    assert isinstance(answer.bandwidth, MemoryBandwidth)
    assert (len(opened.readers), opened.closed) == (2, 2)
    assert not measurement.is_wanted


def test_nothing_to_read_is_an_answer_too() -> None:
    measurement = IdleMeasurement(lambda: None)
    measurement.ask(1)
    measurement.ask(2)

    assert measurement.step() == [BandwidthMeasured(1, None), BandwidthMeasured(2, None)]
    assert not measurement.is_wanted


class TooLarge(ScriptedEngine):
    """Wants to read more memory than any machine has."""

    def memory_reader(self) -> MemoryReader | None:
        """Return a reader whose buffer the system refuses."""
        return CpuReader(1, HUGE_BYTES)


def test_a_measurement_that_fails_is_reported_and_the_worker_serves_on(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_bytes(msgspec.json.encode(Script(decode_tokens_per_second=2000)))
    request = GenerateRequest(id=3, prompt=TextPrompt("hello"), submitted_ns=0)
    answers = served(Load(id=1, engine=EngineName.SCRIPTED, path=str(path)), MeasureBandwidth(2), until=2)
    failed = next(answer for answer in answers if isinstance(answer, Failed))
    assert (failed.id, failed.error.code) == (2, "internal")

    answers = served(
        Load(id=1, engine=EngineName.SCRIPTED, path=str(path)), MeasureBandwidth(2), Generate(request), until=3
    )
    assert any(isinstance(answer, Finished) for answer in answers)


def read_until(stream: BinaryIO, request_id: int) -> Iterator[FromWorker]:
    decoder = msgspec.json.Decoder(FromWorker)
    for line in stream:
        message = decoder.decode(line)
        yield message
        if isinstance(message, BandwidthMeasured | Finished | Failed) and message.id == request_id:
            return


def served(*messages: ToWorker, until: int) -> list[FromWorker]:
    """Have a host in a thread handle `messages`; return what it says up to the last word on request `until`."""
    to_host, from_client = os.pipe()
    to_client, from_host = os.pipe()
    with (
        os.fdopen(to_host, "rb", buffering=0) as incoming,
        os.fdopen(from_host, "wb") as outgoing,
        os.fdopen(to_client, "rb") as answers,
    ):
        inbox = Inbox(incoming, on_orphaned=lambda: None)
        inbox.start()
        host = Thread(target=Host(inbox, MessageWriter(outgoing), lambda _: TooLarge()).run)
        host.start()
        with os.fdopen(from_client, "wb") as requests:
            MessageWriter(requests).send(*messages)
            said = list(read_until(answers, until))
        host.join()
    return said
