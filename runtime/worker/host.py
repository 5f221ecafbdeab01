"""The worker's loop: take messages, step the engine, send events. One thread does all engine work.

A second thread reads the pipe (`Inbox`), so that a cancel is there when the engine returns from a step, and so that the
worker notices when its parent is gone, whatever the engine is doing.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread, Timer
from time import perf_counter_ns
from typing import BinaryIO, assert_never

import msgspec

from runtime.engine.base import Engine
from runtime.metrics.bandwidth import MemoryReader
from runtime.metrics.memory import PeakMeter, resident_bytes_reader
from runtime.values.errors import EngineUnavailableError, FirstTokenError, InternalError, report_of
from runtime.values.generation import (
    Cancelled,
    Failed,
    Finished,
    GenerateRequest,
    GenerationEvent,
    MemoryFigures,
    merged,
)
from runtime.values.model import EngineName
from runtime.worker.channel import MessageWriter, read_batches
from runtime.worker.idle_measurement import IdleMeasurement
from runtime.worker.protocol import (
    PROTOCOL_VERSION,
    CachesForgotten,
    CachesListed,
    Cancel,
    CountTokens,
    ForgetCaches,
    FromWorker,
    Generate,
    Hello,
    ListCaches,
    Load,
    Loaded,
    LoadProgress,
    MeasureBandwidth,
    MemorySample,
    Ready,
    Shutdown,
    TokenCount,
    TokenIds,
    Tokenize,
    ToWorker,
    Unload,
    Unloaded,
)

ORPHAN_GRACE_S = 2.0
MEMORY_INTERVAL_NS = 250_000_000


def end_process(code: int = 0) -> None:
    """End this process at once, whatever native code is doing."""
    os._exit(code)


class Inbox:
    """Messages from the client, read by a thread of their own; the pipe's end counts as `Shutdown`."""

    def __init__(self, stream: BinaryIO, on_orphaned: Callable[[], None] = end_process) -> None:
        self._stream = stream
        self._on_orphaned = on_orphaned
        self._queue: SimpleQueue[ToWorker] = SimpleQueue()
        self._thread = Thread(target=self._read, name="worker-inbox", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def take(self, *, wait: bool) -> Iterator[ToWorker]:
        """Yield the messages that are there; with `wait`, wait for at least one."""
        if wait:
            yield self._queue.get()
        while True:
            try:
                yield self._queue.get_nowait()
            except Empty:
                return

    def _read(self) -> None:
        decoder = msgspec.json.Decoder(ToWorker)
        try:
            for lines in read_batches(self._stream):
                for line in lines:
                    self._queue.put(decoder.decode(line))
        except (OSError, msgspec.DecodeError, InternalError):
            traceback.print_exc(file=sys.stderr)
        self._queue.put(Shutdown())
        # The parent is gone or unreadable. The loop ends at its next look; native code that never returns must not
        # keep an orphan alive.
        timer = Timer(ORPHAN_GRACE_S, self._on_orphaned)
        timer.daemon = True
        timer.start()


class Host:
    """Runs one engine for one client."""

    def __init__(
        self,
        inbox: Inbox,
        writer: MessageWriter,
        create_engine: Callable[[EngineName], Engine],
        clock_ns: Callable[[], int] = perf_counter_ns,
    ) -> None:
        self._inbox = inbox
        self._writer = writer
        self._create_engine = create_engine
        self._clock_ns = clock_ns
        self._engine: Engine | None = None
        self._open_requests: set[int] = set()
        self._quiet_requests: set[int] = set()
        self._running = True
        self._read_own_resident = resident_bytes_reader()
        self._peak = PeakMeter(self._resident_bytes, clock_ns)
        self._memory_due_ns = 0
        self._measurement = IdleMeasurement(self._memory_reader)

    def run(self) -> None:
        """Serve until `Shutdown` or the end of the pipe.

        Raises:
            InternalError: the engine broke its protocol; every open request has got its `Failed` before.
        """
        try:
            while self._running:
                for message in self._inbox.take(wait=not self._busy() and not self._measurement.is_wanted):
                    self._handle(message)
                if self._running and self._busy():
                    self._step()
                elif self._running and self._measurement.is_wanted:
                    self._measure()
        except BrokenPipeError:
            sys.stderr.write("The client is gone.\n")
        finally:
            if self._engine is not None:
                self._engine.unload()

    def _busy(self) -> bool:
        return self._engine is not None and self._engine.busy()

    def _handle(self, message: ToWorker) -> None:
        match message:
            case Hello():
                self._send(Ready(PROTOCOL_VERSION, os.getpid()))
            case Load():
                self._answer(message.id, lambda: self._load(message))
            case Generate(request):
                self._submit(request)
            case CountTokens() | Tokenize() | ListCaches() | ForgetCaches():
                self._answer(message.id, lambda: self._said_at_once(message))
            case MeasureBandwidth(id=request_id):
                self._measurement.ask(request_id)
            case Cancel(id=request_id):
                if self._engine is not None:
                    self._engine.cancel(request_id)
            case Unload(id=request_id):
                self._answer(request_id, lambda: self._unload(request_id))
            case Shutdown():
                self._drop_engine()
                self._running = False
            case _:
                assert_never(message)

    def _answer(self, request_id: int, work: Callable[[], FromWorker]) -> None:
        """Send what `work` returns, or `Failed` with what it raises."""
        try:
            answer = work()
        except FirstTokenError as error:
            answer = Failed(request_id, report_of(error))
        except Exception as error:  # noqa: BLE001 - the boundary: a bug must reach the client as one Failed
            answer = Failed(request_id, report_of(_bug(error)))
        self._send(answer)

    def _said_at_once(self, message: CountTokens | Tokenize | ListCaches | ForgetCaches) -> FromWorker:
        match message:
            case CountTokens(id=request_id, prompt=prompt):
                return TokenCount(request_id, self._loaded_engine().count_tokens(prompt))
            case Tokenize(id=request_id, prompt=prompt):
                return TokenIds(request_id, self._loaded_engine().tokenize(prompt))
            case ListCaches(id=request_id):
                return CachesListed(request_id, self._engine.kept_caches() if self._engine is not None else ())
            case ForgetCaches(id=request_id, conversation=conversation):
                if self._engine is not None:
                    self._engine.forget_caches(conversation)
                return CachesForgotten(request_id)
            case _:
                assert_never(message)

    def _load(self, message: Load) -> Loaded:
        self._drop_engine()
        engine = self._create_engine(message.engine)
        model = engine.load(
            Path(message.path), message.options, lambda fraction: self._send(LoadProgress(message.id, fraction))
        )
        self._engine = engine
        self._sample_memory()
        return Loaded(message.id, model)

    def _loaded_engine(self) -> Engine:
        if self._engine is None:
            raise EngineUnavailableError("No model is loaded.", "Choose a model first.")
        return self._engine

    def _unload(self, request_id: int) -> Unloaded:
        self._drop_engine()
        return Unloaded(request_id)

    def _drop_engine(self) -> None:
        for answer in self._measurement.give_up():
            self._send(answer)
        engine, self._engine = self._engine, None
        if engine is None:
            return
        for request_id in sorted(self._open_requests):
            engine.cancel(request_id)
        while self._open_requests and engine.busy():
            self._send_events(engine.step())
        engine.unload()

    def _submit(self, request: GenerateRequest) -> None:
        self._measurement.interrupt()
        self._open_requests.add(request.id)
        if not request.streams:
            self._quiet_requests.add(request.id)
        if not self._busy():
            self._peak = PeakMeter(self._resident_bytes, self._clock_ns)
        try:
            self._loaded_engine().submit(request)
        except FirstTokenError as error:
            self._send_events([Failed(request.id, report_of(error))])

    def _step(self) -> None:
        try:
            events = self._loaded_engine().step()
        except Exception as error:
            bug = _bug(error)
            self._send_events([Failed(request_id, report_of(bug)) for request_id in sorted(self._open_requests)])
            raise bug from error
        self._send_events(events)
        if self._clock_ns() >= self._memory_due_ns:
            self._sample_memory()

    def _memory_reader(self) -> MemoryReader | None:
        return None if self._engine is None else self._engine.memory_reader()

    def _measure(self) -> None:
        try:
            answers: list[FromWorker] = [*self._measurement.step()]
        except Exception as error:  # noqa: BLE001 - the boundary: chatting goes on without the figure
            report = report_of(_bug(error))
            answers = [Failed(answer.id, report) for answer in self._measurement.give_up()]
        for answer in answers:
            self._send(answer)

    def _send_events(self, events: list[GenerationEvent]) -> None:
        telling = [event for event in events if self._is_telling(event)]
        if telling:
            self._writer.send(*merged(telling))

    def _is_telling(self, event: GenerationEvent) -> bool:
        """Return whether the client wants `event`; the last one of a request it always does."""
        if isinstance(event, Finished | Cancelled | Failed):
            self._open_requests.discard(event.id)
            self._quiet_requests.discard(event.id)
            return True
        return event.id not in self._quiet_requests

    def _resident_bytes(self) -> int:
        beside = self._engine.memory().server_resident_bytes if self._engine is not None else 0
        return self._read_own_resident() + beside

    def _sample_memory(self) -> None:
        self._memory_due_ns = self._clock_ns() + MEMORY_INTERVAL_NS
        self._peak.sample()
        engine = self._loaded_engine().memory()
        figures = MemoryFigures(
            weights_bytes=engine.weights_bytes,
            kv_cache_bytes=engine.kv_cache_bytes,
            compute_buffer_bytes=engine.compute_buffer_bytes,
            worker_resident_bytes=self._peak.latest_bytes,
            peak_bytes=self._peak.peak_bytes,
        )
        self._send(MemorySample(figures))

    def _send(self, message: FromWorker) -> None:
        self._writer.send(message)


def _bug(error: Exception) -> InternalError:
    detail = "".join(traceback.format_exception(error))
    sys.stderr.write(detail)
    return InternalError(f"The worker met a bug: {type(error).__name__}: {error}", detail=detail)
