"""Asking a model on behalf of the benchmark: one reply to its end, with the times at which it arrived here."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Protocol, assert_never

import msgspec

from runtime.client.base import EngineClient
from runtime.metrics.timeline import NS_PER_MS
from runtime.values.errors import error_from
from runtime.values.generation import (
    Cancelled,
    Failed,
    Finished,
    GenerateRequest,
    GenerationStats,
    PromptProgress,
    TextDelta,
)
from runtime.values.prompt import Prompt
from runtime.values.sampling import GREEDY, SamplingParams


class RunStoppedError(Exception):
    """The run was cancelled; what has been measured before stays."""


class Arrival(msgspec.Struct, frozen=True):
    """When tokens arrived here (`time.perf_counter_ns`), and how many at once."""

    time_ns: int
    tokens: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A reply that has ended by itself."""

    stats: GenerationStats
    submitted_ns: int
    arrivals: tuple[Arrival, ...]

    @property
    def prefill_ns(self) -> int:
        """How long evaluating the prompt took, by the worker's clock; 0 where no token was generated."""
        return round(self.stats.ttft_parts.prefill_ms * NS_PER_MS) if self.stats.ttft_parts else 0

    @property
    def decode_ns(self) -> int:
        """From the first token to the last, by the worker's clock."""
        times = self.stats.token_times_ms
        return round((times[-1] - times[0]) * NS_PER_MS) if times else 0

    @property
    def first_arrival_ns(self) -> int:
        """When the first token arrived here; of a reply without any text, when it was made."""
        return self.arrivals[0].time_ns if self.arrivals else self.submitted_ns + self._first_made_ns()

    @property
    def delivery_ns(self) -> int:
        """From the first token being made to the last one's arrival here.

        Not from the first one's arrival: on a busy machine a whole reply may arrive in two bursts, one right after the
        other, which says nothing of how fast it was written.
        """
        if not self.arrivals:
            return 0
        return self.arrivals[-1].time_ns - self.submitted_ns - self._first_made_ns()

    def _first_made_ns(self) -> int:
        """Return how long after the submit the first token was made."""
        times = self.stats.token_times_ms
        return round(times[0] * NS_PER_MS) if times else 0

    @property
    def ended_ns(self) -> int:
        """When the last token was made, on `time.perf_counter_ns`."""
        times = self.stats.token_times_ms
        return self.submitted_ns + round(times[-1] * NS_PER_MS) if times else self.submitted_ns


class Cancellable(Protocol):
    """A reply, or a task that loads a model."""

    def cancel(self) -> object:
        """Ask for an early end."""
        ...


class StopSignal:
    """Tells everything under way that the run was cancelled."""

    def __init__(self) -> None:
        self.requested = False
        self._open: list[Cancellable] = []

    def request(self) -> None:
        """Cancel what is open; nothing new begins."""
        self.requested = True
        for one in list(self._open):
            one.cancel()

    def check(self) -> None:
        """Raise if the run was cancelled.

        Raises:
            RunStoppedError: it was.
        """
        if self.requested:
            raise RunStoppedError

    def watch(self, one: Cancellable) -> None:
        """Cancel `one` when the run is cancelled, at once if it was already."""
        self._open.append(one)
        if self.requested:
            one.cancel()

    def forget(self, one: Cancellable) -> None:
        """Leave `one` alone: it has ended."""
        self._open = [other for other in self._open if other is not one]


def engine_request(prompt: Prompt, tokens: int, *, reuse_cache: bool) -> GenerateRequest:
    """Return a request for exactly `tokens` tokens, each the most probable; only its figures come back."""
    return GenerateRequest(
        id=0,
        prompt=prompt,
        submitted_ns=perf_counter_ns(),
        max_tokens=tokens,
        sampling=GREEDY,
        reuse_cache=reuse_cache,
        ignore_end_token=True,
        streams=False,
    )


def chat_request(prompt: Prompt, tokens: int, sampling: SamplingParams, *, reuse_cache: bool) -> GenerateRequest:
    """Return a request for exactly `tokens` tokens as the chat makes it, the text of which comes as it is written."""
    request = engine_request(prompt, tokens, reuse_cache=reuse_cache)
    return msgspec.structs.replace(request, sampling=sampling, streams=True)


async def ask(client: EngineClient, request: GenerateRequest, stop: StopSignal) -> Outcome:
    """Send `request`, submitted as it says, and read the reply to its end.

    Raises:
        FirstTokenError: it failed, or the worker was lost.
        RunStoppedError: the run was cancelled.
    """
    stop.check()
    reply = await client.generate(request)
    stop.watch(reply)
    arrivals: list[Arrival] = []
    try:
        async for event in reply:
            match event:
                case PromptProgress():
                    pass
                case TextDelta(token_times_ns=times):
                    if times:
                        arrivals.append(Arrival(perf_counter_ns(), len(times)))
                case Finished(stats=stats):
                    return Outcome(stats=stats, submitted_ns=request.submitted_ns, arrivals=tuple(arrivals))
                case Cancelled():
                    raise RunStoppedError
                case Failed(error=report):
                    raise error_from(report)
                case _:
                    assert_never(event)
    finally:
        stop.forget(reply)
    raise AssertionError("unreachable: a reply ends in a terminal event")
