"""Short ways to start a llama.cpp engine that keeps KV caches on disk, to ask it, and to end it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from runtime.engine.llamacpp_engine import LlamaCppEngine
from runtime.values.generation import GenerationStats, TokenChoice
from runtime.values.model import KvStoreOptions, LoadOptions
from runtime.values.prompt import TokenPrompt
from tests.runtime.engine.llamacpp_session import NO_PROGRAMS, ask, choices_of, run, stats_of, text_of

LONG_IDLE_S = 3600.0
"""So long that nothing is written but when the engine is unloaded."""
WAIT_S = 60.0
PROMPT = tuple(5 + index * 7 % 400 for index in range(100))


class Said(NamedTuple):
    """A reply: its text, the alternatives for every token, and the figures."""

    text: str
    choices: tuple[TokenChoice, ...]
    stats: GenerationStats

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Return the ids of its tokens."""
        return tuple(choice.chosen.token_id for choice in self.choices)


def stored(path: Path, **changes: object) -> KvStoreOptions:
    """Return how to keep caches in `path`: of short chats, too, and when the engine is unloaded."""
    options = KvStoreOptions(folder=str(path), idle_s=LONG_IDLE_S, least_tokens=8)
    return msgspec.structs.replace(options, **changes)


@contextmanager
def started(model: Path, kv: Path | None, program: Path | None = None, **changes: object) -> Iterator[LlamaCppEngine]:
    """Start an engine, embedded or with a native `program`, and end it."""
    engine = LlamaCppEngine(NO_PROGRAMS if program is None else {"PATH": "/usr/bin:/bin"}, lambda: 0.0)
    options = LoadOptions(kv_store=stored(kv) if kv else None, llama_server=str(program) if program else None)
    try:
        engine.load(model, msgspec.structs.replace(options, **changes), lambda _: None)
        yield engine
    finally:
        engine.unload()


def say(engine: LlamaCppEngine, *prompt: int, max_tokens: int = 5, **changes: object) -> Said:
    """Ask for a few tokens, greedily, with their log-probabilities."""
    request = ask(TokenPrompt(prompt), max_tokens=max_tokens, ignore_end_token=True, top_logprobs=5)
    events = run(engine, msgspec.structs.replace(request, **changes))
    return Said(text_of(events), tuple(choices_of(events)), stats_of(events))


def say_once(
    model: Path, kv: Path, *prompt: int, program: Path | None = None, max_tokens: int = 5, **changes: object
) -> Said:
    """Start, ask once, and end."""
    with started(model, kv, program) as engine:
        return say(engine, *prompt, max_tokens=max_tokens, **changes)
