"""Short ways to load a tiny model into the llama.cpp engine, to ask it, and to look at what came back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns

from runtime.engine.llamacpp_engine import LlamaCppEngine
from runtime.values.generation import (
    Cancelled,
    Failed,
    Finished,
    GenerateRequest,
    GenerationEvent,
    GenerationStats,
    TextDelta,
    TokenChoice,
)
from runtime.values.model import LoadOptions
from runtime.values.prompt import Prompt, TokenPrompt
from runtime.values.sampling import GREEDY, SamplingParams

WAIT_S = 60.0
NO_PROGRAMS = {"PATH": ""}
"""An environment without a native llama-server, whatever the machine has."""

SOME_TOKENS = TokenPrompt((7, 300, 41, 12, 305, 99))


@contextmanager
def loaded_engine(path: Path, options: LoadOptions | None = None) -> Iterator[LlamaCppEngine]:
    """Load the model at `path` into the embedded server, and unload it afterwards."""
    engine = LlamaCppEngine(NO_PROGRAMS, measure_busy_cores=lambda: 0.0)
    try:
        engine.load(path, options or LoadOptions(), lambda _: None)
        yield engine
    finally:
        engine.unload()


def ask(
    prompt: Prompt = SOME_TOKENS,
    *,
    number: int = 1,
    max_tokens: int | None = 12,
    sampling: SamplingParams = GREEDY,
    stop_strings: tuple[str, ...] = (),
    top_logprobs: int = 0,
    reuse_cache: bool = True,
    ignore_end_token: bool = False,
    is_private: bool = False,
    conversation: str = "",
) -> GenerateRequest:
    """Return a request submitted now."""
    return GenerateRequest(
        id=number,
        prompt=prompt,
        submitted_ns=perf_counter_ns(),
        max_tokens=max_tokens,
        sampling=sampling,
        stop_strings=stop_strings,
        top_logprobs=top_logprobs,
        reuse_cache=reuse_cache,
        ignore_end_token=ignore_end_token,
        is_private=is_private,
        conversation=conversation,
    )


def run(engine: LlamaCppEngine, *requests: GenerateRequest) -> list[GenerationEvent]:
    """Submit `requests` and step until nothing runs any more."""
    for request in requests:
        engine.submit(request)
    return drain(engine)


def drain(engine: LlamaCppEngine) -> list[GenerationEvent]:
    """Step until nothing runs any more."""
    return step_until(engine, lambda _: not engine.busy())


def step_until(engine: LlamaCppEngine, enough: Callable[[Sequence[GenerationEvent]], bool]) -> list[GenerationEvent]:
    """Step until `enough` of the events so far, and return them."""
    events: list[GenerationEvent] = []
    deadline = time.monotonic() + WAIT_S
    while not enough(events):
        assert time.monotonic() < deadline, f"the engine is still busy; last events: {events[-3:]}"
        events += engine.step()
    return events


def of(events: Sequence[GenerationEvent], number: int) -> list[GenerationEvent]:
    """Return the events of one request."""
    return [event for event in events if event.id == number]


def text_of(events: Sequence[GenerationEvent]) -> str:
    """Return the text that was generated."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def choices_of(events: Sequence[GenerationEvent]) -> list[TokenChoice]:
    """Return the alternatives that were reported."""
    return [choice for event in events if isinstance(event, TextDelta) for choice in event.choices]


def end_of(events: Sequence[GenerationEvent]) -> Finished | Cancelled | Failed:
    """Return the one terminal event, and see that it is the last."""
    (end,) = [event for event in events if isinstance(event, Finished | Cancelled | Failed)]
    assert events[-1] is end
    return end


def stats_of(events: Sequence[GenerationEvent]) -> GenerationStats:
    """Return the figures of a request that finished."""
    end = end_of(events)
    assert isinstance(end, Finished), end
    return end.stats


def error_of(events: Sequence[GenerationEvent]) -> str:
    """Return the code of the error that a request failed with."""
    end = end_of(events)
    assert isinstance(end, Failed), end
    return end.error.code
