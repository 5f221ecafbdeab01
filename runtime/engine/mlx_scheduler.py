"""Who gets the next step on MLX: one chunk of one prompt, then a token for every request that writes.

Of several prompts the one with the least left to read goes first, so a short question does not wait for a long
document, and equal ones follow each other instead of all being late. Meanwhile the others queue. Requests that have
read write together (`WritingBatch`); where the model cannot do that, each by itself, in turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter_ns

from runtime.engine.generation import Generation
from runtime.engine.mlx_batch import WritingBatch
from runtime.engine.mlx_request import RequestContext, RunningRequest
from runtime.values.generation import Cancelled, GenerateRequest, GenerationEvent


class Scheduler:
    """The requests of one loaded model.

    Args:
        context: what they share.
        make_generation: gives the bookkeeping of a request that is taken up.
        parallel_requests: how many run at the same time.
        batches: whether they write together.
    """

    def __init__(
        self,
        context: RequestContext,
        make_generation: Callable[[GenerateRequest], Generation],
        parallel_requests: int,
        *,
        batches: bool,
    ) -> None:
        self._context = context
        self._make_generation = make_generation
        self._parallel_requests = parallel_requests
        self._batches = batches
        self._queue: deque[GenerateRequest] = deque()
        self._reading: list[RunningRequest] = []
        self._writing: dict[int, RunningRequest] = {}
        self._together: list[WritingBatch] = []
        self._cancelled: set[int] = set()

    @property
    def busy(self) -> bool:
        """Whether `step` has work to do."""
        return bool(self._queue or self._reading or self._writing)

    @property
    def kv_cache_bytes(self) -> int:
        """What the KV caches of the running requests take."""
        reading = sum(request.kv_cache_bytes for request in self._reading)
        return reading + sum(batch.nbytes for batch in self._together)

    def submit(self, request: GenerateRequest) -> None:
        """Put a request into the queue."""
        self._queue.append(request)

    def cancel(self, request_id: int) -> None:
        """End a request at the next step."""
        self._cancelled.add(request_id)

    def step(self) -> list[GenerationEvent]:
        """Read a chunk of a prompt, take up what waits, and write a token for each request that has read."""
        events = self._end_cancelled()
        events += self._read()
        events += self._take_up()
        if self._together:
            begun_ns = perf_counter_ns()
            events += [event for batch in self._together for event in self._write(batch)]
            self._together = [batch for batch in self._together if batch.request_ids]
            self._wait(self._reading, begun_ns)
        return events

    def _take_up(self) -> list[GenerationEvent]:
        events: list[GenerationEvent] = []
        while self._queue and len(self._reading) + len(self._writing) < self._parallel_requests:
            request = RunningRequest(self._make_generation(self._queue.popleft()), self._context)
            self._reading.append(request)
            events += request.begin()
        self._drop_ended()
        return events

    def _read(self) -> list[GenerationEvent]:
        if not self._reading:
            return []
        begun_ns = perf_counter_ns()
        request = min(self._reading, key=lambda one: one.unread_tokens)
        events = request.read()
        self._drop_ended()
        if request.has_read:
            self._reading.remove(request)
            events += self._join(request)
        self._wait([other for other in self._reading if other is not request], begun_ns)
        return events

    def _join(self, request: RunningRequest) -> list[GenerationEvent]:
        if not (self._batches and self._together):
            self._together.append(WritingBatch(self._context.model.network))
        batch = self._together[-1]
        self._writing[request.id] = request
        return self._guarded(batch, lambda: batch.join(*request.hand_over()))

    def _write(self, batch: WritingBatch) -> list[GenerationEvent]:
        requests = [self._writing[request_id] for request_id in batch.request_ids]
        tokens: list[int] = []
        events = self._guarded(batch, lambda: tokens.extend(batch.step()))
        time_ns = perf_counter_ns()
        for request, token in zip(requests, tokens, strict=False):
            events += request.write(token, time_ns)
        for request in requests:
            if tokens and request.generation.ended:
                events += self._leave(request)
        return events

    def _leave(self, request: RunningRequest) -> list[GenerationEvent]:
        """Take a request that has ended out of its batch, and keep what it leaves in the KV cache."""
        batch = next((one for one in self._together if request.id in one.request_ids), None)
        if batch is None:
            return []
        del self._writing[request.id]
        return self._guarded(batch, lambda: request.keep(batch.leave(request.id)))

    def _guarded(self, batch: WritingBatch, work: Callable[[], None]) -> list[GenerationEvent]:
        """Do `work` on a batch. What fails there leaves nothing to go on with: it ends all that write in it."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the boundary to MLX, which raises what it likes
            self._together.remove(batch)
            lost = [self._writing.pop(one) for one in batch.request_ids if one in self._writing]
            return [event for request in lost for event in request.fail(error)]
        return []

    def _end_cancelled(self) -> list[GenerationEvent]:
        cancelled, self._cancelled = self._cancelled, set()
        waiting = [request for request in self._queue if request.id in cancelled]
        self._queue = deque(request for request in self._queue if request.id not in cancelled)
        events: list[GenerationEvent] = [Cancelled(request.id, None) for request in waiting]
        running = [request for request in (*self._reading, *self._writing.values()) if request.id in cancelled]
        for request in running:
            events.append(request.cancel())
            events += self._leave(request)
        self._drop_ended()
        return events

    def _drop_ended(self) -> None:
        self._reading = [request for request in self._reading if not request.generation.ended]

    @staticmethod
    def _wait(requests: list[RunningRequest], begun_ns: int) -> None:
        """Note that `requests` have waited for others since `begun_ns`."""
        elapsed_ns = perf_counter_ns() - begun_ns
        for request in requests:
            request.generation.waited(elapsed_ns)
