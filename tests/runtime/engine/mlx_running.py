"""Running requests on a real MLX engine and looking at what came of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter_ns

import msgspec

from runtime.engine.base import Engine
from runtime.engine.mlx_engine import MlxEngine
from runtime.values.errors import ErrorReport
from runtime.values.generation import (
    Cancelled,
    Failed,
    Finished,
    GenerateRequest,
    GenerationEvent,
    GenerationStats,
    StopReason,
    TextDelta,
)
from runtime.values.model import LoadOptions
from runtime.values.prompt import Prompt, TextPrompt
from runtime.values.sampling import GREEDY

MAX_STEPS = 5000


class Reply(msgspec.Struct, frozen=True):
    """What one request gave: all of its events, and the terminal one."""

    events: tuple[GenerationEvent, ...]
    end: Finished | Cancelled | Failed

    @property
    def text(self) -> str:
        """All text."""
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Tokens, where alternatives were asked for."""
        deltas = [event for event in self.events if isinstance(event, TextDelta)]
        return tuple(choice.chosen.token_id for delta in deltas for choice in delta.choices)

    @property
    def stats(self) -> GenerationStats:
        """The figures of a reply that was finished or cancelled."""
        assert not isinstance(self.end, Failed), self.end
        assert self.end.stats is not None
        return self.end.stats

    @property
    def stop_reason(self) -> StopReason:
        """Why a finished reply ended."""
        assert isinstance(self.end, Finished), self.end
        return self.end.stop_reason

    @property
    def error(self) -> ErrorReport:
        """Why a failed request failed."""
        assert isinstance(self.end, Failed), self.end
        return self.end.error


def loaded(folder: Path, **options: object) -> MlxEngine:
    """Return an engine with the model in `folder`."""
    engine = MlxEngine()
    engine.load(folder, msgspec.structs.replace(LoadOptions(), **options), lambda _fraction: None)
    return engine


def ask(prompt: Prompt | str, **changes: object) -> GenerateRequest:
    """Return a request for 12 tokens, greedy and with their ids reported, unless `changes` say otherwise."""
    request = GenerateRequest(
        id=1,
        prompt=TextPrompt(prompt) if isinstance(prompt, str) else prompt,
        submitted_ns=perf_counter_ns(),
        max_tokens=12,
        sampling=GREEDY,
        top_logprobs=1,
    )
    return msgspec.structs.replace(request, **changes)


def run(engine: Engine, *requests: GenerateRequest) -> list[Reply]:
    """Submit all of `requests` and return their replies, in the same order."""
    for request in requests:
        engine.submit(request)
    return replies(drain(engine), [request.id for request in requests])


def drain(engine: Engine) -> list[GenerationEvent]:
    """Step until nothing is left to do."""
    events: list[GenerationEvent] = []
    for _ in range(MAX_STEPS):
        if not engine.busy():
            return events
        events += engine.step()
    raise AssertionError("the engine never came to an end")


def replies(events: Iterable[GenerationEvent], request_ids: Sequence[int]) -> list[Reply]:
    """Sort `events` by request; each must have exactly one terminal event, and it must be the last one."""
    collected = list(events)
    return [_reply([event for event in collected if event.id == request_id]) for request_id in request_ids]


def _reply(events: list[GenerationEvent]) -> Reply:
    terminal = [event for event in events if isinstance(event, Finished | Cancelled | Failed)]
    assert len(terminal) == 1, events
    assert events[-1] is terminal[0]
    return Reply(tuple(events), terminal[0])
