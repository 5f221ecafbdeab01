"""The client of one worker process: futures and event queues over the pipe, on one asyncio loop."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Protocol, TypeVar

import msgspec

from runtime.client.base import MemoryCallback, ModelToLoad, ProgressCallback
from runtime.values.errors import (
    FirstTokenError,
    InternalError,
    InvalidRequestError,
    ModelBrokenError,
    WorkerLostError,
    error_from,
    report_of,
)
from runtime.values.generation import (
    Cancelled,
    Failed,
    Finished,
    GenerateRequest,
    GenerationEvent,
    PromptProgress,
    TextDelta,
)
from runtime.values.kv_cache import KeptCache
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import LoadedModel
from runtime.values.prompt import Prompt
from runtime.values.sampling import checked
from runtime.worker.child import WorkerExit
from runtime.worker.protocol import (
    PROTOCOL_VERSION,
    BandwidthMeasured,
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
    TokenCount,
    TokenIds,
    Tokenize,
    ToWorker,
    Unload,
    Unloaded,
)

HANDSHAKE_TIMEOUT_S = 60.0
DEMO_NEXT_STEP = "Reinstall First Token: the demo model is part of it. Other models are not concerned."
ASKED_TO_END = frozenset({0, -15})
"""Exit codes of a worker that ended itself, or that the system asked to: it is being shut down."""
T = TypeVar("T")


class Child(Protocol):
    """What the client needs of a started worker process.

    Attributes:
        batch_interval_s: how long text waits for more after text was handed over.
    """

    batch_interval_s: float

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        ...

    def send(self, message: ToWorker) -> None:
        """Queue a message; never waits.

        Raises:
            InvalidRequestError: it holds text that is no Unicode.
        """
        ...

    def stop(self) -> None:
        """End it and wait; blocks."""
        ...


BatchInterval = Callable[[LoadedModel], float]
"""How long in seconds text of a model waits for more, after text was handed over."""

CrashCallback = Callable[[WorkerExit], None]
StartChild = Callable[[Callable[[list[FromWorker]], None], Callable[[WorkerExit], None]], Child]


def as_it_comes(_model: LoadedModel) -> float:
    """Have text wait for nothing."""
    return 0.0


class WorkerReply:
    """A reply that comes from a worker."""

    def __init__(self, request_id: int, on_cancel: Callable[[int], None]) -> None:
        self.request_id = request_id
        self._on_cancel = on_cancel
        self._events: asyncio.Queue[GenerationEvent] = asyncio.Queue()
        self.ended = False

    def cancel(self) -> None:
        """Ask the worker to stop; the events still end in a terminal one."""
        if not self.ended:
            self._on_cancel(self.request_id)

    def put(self, event: GenerationEvent) -> None:
        """Take an event from the worker."""
        self.ended = isinstance(event, Finished | Cancelled | Failed)
        self._events.put_nowait(event)

    async def __aiter__(self) -> AsyncIterator[GenerationEvent]:
        """Yield events as they come, the terminal one last."""
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, Finished | Cancelled | Failed):
                return


class WorkerClient:
    """Talks to one worker. Made by `start`; all methods belong to the loop that made it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_memory: MemoryCallback | None, batch_interval: BatchInterval
    ) -> None:
        self._loop = loop
        self._on_memory = on_memory
        self._batch_interval = batch_interval
        self._child: Child | None = None
        self._ids = itertools.count(1)
        self._inbox: deque[FromWorker] = deque()
        self._drain_scheduled = False
        self._ready: asyncio.Future[Ready] = loop.create_future()
        self._answers: dict[int, asyncio.Future[FromWorker]] = {}
        self._progress: dict[int, ProgressCallback] = {}
        self._replies: dict[int, WorkerReply] = {}
        self._lost: WorkerLostError | None = None
        self._gone = asyncio.Event()
        self._is_closing = False
        self._on_crash: CrashCallback | None = None

    @classmethod
    async def start(
        cls,
        start_child: StartChild,
        on_memory: MemoryCallback | None = None,
        batch_interval: BatchInterval = as_it_comes,
        on_crash: CrashCallback | None = None,
    ) -> WorkerClient:
        """Start a worker and shake hands.

        Text is handed over as it comes or, where `batch_interval` says so of the loaded model, the first of it at once
        and what follows together, so often at most. `on_crash` is told of an end that nobody asked for.

        Raises:
            WorkerLostError: it ended or did not answer within a minute.
            InternalError: it speaks another protocol.
        """
        client = cls(asyncio.get_running_loop(), on_memory, batch_interval)
        client._on_crash = on_crash
        client._child = start_child(client._receive, client._note_exit)
        client._child.send(Hello(PROTOCOL_VERSION))
        try:
            # Not `wait_for`: in Python 3.11 that forgets a cancellation which comes together with the result.
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                await client._shake_hands()
        except TimeoutError as error:
            await client.close()
            raise WorkerLostError("The worker did not start within a minute.", "Try again.") from error
        except BaseException:
            # Also when the caller gave up: nobody else knows of this process.
            await client.close()
            raise
        return client

    async def _shake_hands(self) -> None:
        ready = await self._ready
        if ready.version != PROTOCOL_VERSION:
            raise InternalError(f"The worker speaks protocol {ready.version}, this app {PROTOCOL_VERSION}.")

    @property
    def alive(self) -> bool:
        """Whether the worker still serves; false as soon as its process is gone, heard of or not."""
        return self._lost is None and (self._child is None or self._child.running)

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._running_child().pid

    async def load(self, model: ModelToLoad, on_progress: ProgressCallback | None = None) -> LoadedModel:
        """See `EngineClient.load`."""
        request_id = next(self._ids)
        if on_progress is not None:
            self._progress[request_id] = on_progress
        try:
            message = Load(id=request_id, engine=model.engine, path=model.path, options=model.options)
            loaded = (await self._ask(request_id, message, Loaded)).model
            self._running_child().batch_interval_s = self._batch_interval(loaded)
        except ModelBrokenError as error:
            if not model.options.is_demo:
                raise
            raise ModelBrokenError(error.what, DEMO_NEXT_STEP, detail=error.detail) from error
        else:
            return loaded
        finally:
            self._progress.pop(request_id, None)

    async def generate(self, request: GenerateRequest) -> WorkerReply:
        """See `EngineClient.generate`."""
        child = self._running_child()
        reply = WorkerReply(next(self._ids), lambda request_id: child.send(Cancel(request_id)))
        try:
            checked(request.sampling)  # Here already: JSON has no word for NaN.
            child.send(Generate(msgspec.structs.replace(request, id=reply.request_id)))
        except InvalidRequestError as error:
            reply.put(Failed(reply.request_id, report_of(error)))
            return reply
        self._replies[reply.request_id] = reply
        return reply

    async def count_tokens(self, prompt: Prompt) -> int:
        """See `EngineClient.count_tokens`."""
        request_id = next(self._ids)
        return (await self._ask(request_id, CountTokens(request_id, prompt), TokenCount)).tokens

    async def tokenize(self, prompt: Prompt) -> tuple[int, ...]:
        """See `EngineClient.tokenize`."""
        request_id = next(self._ids)
        return (await self._ask(request_id, Tokenize(request_id, prompt), TokenIds)).token_ids

    async def measure_bandwidth(self) -> MemoryBandwidth | None:
        """See `EngineClient.measure_bandwidth`."""
        request_id = next(self._ids)
        return (await self._ask(request_id, MeasureBandwidth(request_id), BandwidthMeasured)).bandwidth

    async def kept_caches(self) -> tuple[KeptCache, ...]:
        """See `EngineClient.kept_caches`."""
        request_id = next(self._ids)
        return (await self._ask(request_id, ListCaches(request_id), CachesListed)).caches

    async def forget_caches(self, conversation: str | None) -> None:
        """See `EngineClient.forget_caches`."""
        request_id = next(self._ids)
        await self._ask(request_id, ForgetCaches(request_id, conversation), CachesForgotten)

    async def unload(self) -> None:
        """See `EngineClient.unload`."""
        request_id = next(self._ids)
        await self._ask(request_id, Unload(request_id), Unloaded)

    async def close(self) -> None:
        """See `EngineClient.close`."""
        if self._child is None:
            return
        self._is_closing = True
        # Whoever gives up waiting does not give up the end of the process.
        await asyncio.shield(asyncio.to_thread(self._child.stop))
        await self._gone.wait()

    def _running_child(self) -> Child:
        if self._lost is not None:
            raise self._lost
        if self._child is None:
            raise InternalError("The worker was used before it was started.")
        return self._child

    async def _ask(self, request_id: int, message: ToWorker, kind: type[T]) -> T:
        child = self._running_child()
        future: asyncio.Future[FromWorker] = self._loop.create_future()
        self._answers[request_id] = future
        try:
            child.send(message)
            answer = await future
        finally:
            self._answers.pop(request_id, None)
        if not isinstance(answer, kind):
            raise InternalError(f"The worker answered {type(message).__name__} with {type(answer).__name__}.")
        return answer

    # From the child's threads.

    def _receive(self, messages: list[FromWorker]) -> None:
        self._inbox.extend(messages)
        if not self._drain_scheduled:
            self._drain_scheduled = True
            self._call_in_loop(self._drain)

    def _note_exit(self, how: WorkerExit) -> None:
        self._call_in_loop(lambda: self._end(how))

    def _call_in_loop(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # The loop is closed: nobody waits any more.
            return

    # In the loop.

    def _drain(self) -> None:
        self._drain_scheduled = False
        self._dispatch_all()

    def _dispatch_all(self) -> None:
        while self._inbox:
            self._dispatch(self._inbox.popleft())

    def _dispatch(self, message: FromWorker) -> None:
        match message:
            case Ready():
                if not self._ready.done():
                    self._ready.set_result(message)
            case LoadProgress(id=request_id, fraction=fraction):
                if request_id in self._progress:
                    self._progress[request_id](fraction)
            case MemorySample(memory):
                if self._on_memory is not None:
                    self._on_memory(memory)
            case (
                Loaded(id=request_id)
                | TokenCount(id=request_id)
                | TokenIds(id=request_id)
                | BandwidthMeasured(id=request_id)
                | CachesListed(id=request_id)
                | CachesForgotten(id=request_id)
                | Unloaded(id=request_id)
            ):
                self._resolve(request_id, message)
            case Failed(id=request_id, error=report) if request_id in self._answers:
                self._reject(request_id, error_from(report))
            case PromptProgress() | TextDelta() | Finished() | Cancelled() | Failed():
                self._pass_on(message)

    def _resolve(self, request_id: int, message: FromWorker) -> None:
        future = self._answers.get(request_id)
        if future is not None and not future.done():
            future.set_result(message)

    def _reject(self, request_id: int, error: FirstTokenError) -> None:
        future = self._answers[request_id]
        if not future.done():
            future.set_exception(error)

    def _pass_on(self, event: GenerationEvent) -> None:
        reply = self._replies.get(event.id)
        if reply is None:
            return  # A second end, or an event after the end, is dropped here: the reply has ended.
        reply.put(event)
        if reply.ended:
            del self._replies[event.id]

    def _end(self, how: WorkerExit) -> None:
        self._dispatch_all()
        self._lost = _lost(how)
        if not self._ready.done():
            self._ready.set_exception(self._lost)
            self._ready.exception()  # Marks it as seen: `start` may have given up already.
        for request_id in list(self._answers):
            self._reject(request_id, self._lost)
        for request_id, reply in list(self._replies.items()):
            reply.put(Failed(request_id, report_of(self._lost)))
        self._replies.clear()
        self._gone.set()
        if self._on_crash is not None and not self._is_closing and how.code not in ASKED_TO_END:
            self._on_crash(how)


def _lost(how: WorkerExit) -> WorkerLostError:
    """Say in the user's words how the worker ended."""
    detail = f"exit code {how.code}\n{how.stderr_tail}"
    if how.code == 0:
        return WorkerLostError("The model was closed.", "Load it again to go on.", detail=detail)
    if how.code == -9:
        return WorkerLostError(
            "The worker was killed, most likely by the system for want of memory.",
            "Load a smaller model or a shorter context, then send the message again.",
            detail=detail,
        )
    return WorkerLostError(
        f"The worker ended unexpectedly (code {how.code}).",
        "Send the message again; if it happens again, try another model.",
        detail=detail,
    )
