"""The stepped `Engine` protocol, after vLLM's engine core.

An engine lives in a worker process on one thread, which does everything: load, generate, unload (MLX streams are bound
to their thread). Nothing here blocks for longer than one step: a prefill chunk or one token for each running request.
So several requests share the thread, and cancelling needs no flag.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from runtime.metrics.bandwidth import MemoryReader
from runtime.values.generation import GenerateRequest, GenerationEvent
from runtime.values.kv_cache import KeptCache
from runtime.values.model import LoadedModel, LoadOptions
from runtime.values.prompt import Prompt

LoadProgressCallback = Callable[[float], None]


class EngineMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine itself knows it takes, in bytes; see `MemoryFigures`.

    `server_resident_bytes` is the resident memory of processes that the engine runs beside this one.
    """

    weights_bytes: int
    kv_cache_bytes: int
    compute_buffer_bytes: int | None = None
    server_resident_bytes: int = 0


class Engine(Protocol):
    """What a worker's host needs of an inference library."""

    def load(self, path: Path, options: LoadOptions, on_progress: LoadProgressCallback) -> LoadedModel:
        """Load the model at `path`; `on_progress` gets fractions from 0 to 1.

        Raises:
            UserFacingError: the model is missing, broken or unsupported, or memory does not suffice. The engine is
                then still good for another load.
        """
        ...

    def submit(self, request: GenerateRequest) -> None:
        """Take `request` up; its events, down to exactly one terminal event, come from `step`.

        Never raises for what the request holds: a bad request yields `Failed`.
        """
        ...

    def step(self) -> list[GenerationEvent]:
        """Do one bounded piece of work for the running requests and return what came of it.

        Blocks for at most one prefill chunk or one token; returns at once with an empty list when nothing runs.
        """
        ...

    def cancel(self, request_id: int) -> None:
        """End a request at the next step with `Cancelled`; unknown or ended ids are ignored."""
        ...

    def busy(self) -> bool:
        """Return whether `step` has work to do."""
        ...

    def count_tokens(self, prompt: Prompt) -> int:
        """Return how many tokens `prompt` takes, chat template included.

        Raises:
            UserFacingError: the template fails.
        """
        ...

    def tokenize(self, prompt: Prompt) -> tuple[int, ...]:
        """Return the token ids of `prompt`, chat template included.

        Raises:
            UserFacingError: the template fails.
        """
        ...

    def memory(self) -> EngineMemory:
        """Return what the loaded model takes now."""
        ...

    def memory_reader(self) -> MemoryReader | None:
        """Return what reads the memory that the loaded model lies in, as decoding does; None where nothing can.

        It is used on the engine's thread, and only while the engine is not busy.
        """
        ...

    def kept_caches(self) -> tuple[KeptCache, ...]:
        """Return the KV caches that are kept in memory for later requests; not those of running ones."""
        ...

    def forget_caches(self, conversation: str | None) -> None:
        """Drop the kept KV caches of `conversation`, or all of them, and give up writing them to disk."""
        ...

    def unload(self) -> None:
        """Cancel what runs, drop the model and give its memory back as far as the library can. Idempotent."""
        ...
