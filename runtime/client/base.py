"""What the window, the benchmark and the command line hold: the async `EngineClient`, and a `Reply` under way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

import msgspec

from runtime.values.generation import GenerateRequest, GenerationEvent, MemoryFigures
from runtime.values.kv_cache import KeptCache
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import EngineName, LoadedModel, LoadOptions
from runtime.values.prompt import Prompt

ProgressCallback = Callable[[float], None]
MemoryCallback = Callable[[MemoryFigures], None]


class ModelToLoad(msgspec.Struct, frozen=True, kw_only=True):
    """Which model to load, with which engine, and how."""

    engine: EngineName
    path: str
    options: LoadOptions = LoadOptions()


class Reply(Protocol):
    """A reply under way: iterate over its events; the last one is `Finished`, `Cancelled` or `Failed`."""

    def __aiter__(self) -> AsyncIterator[GenerationEvent]:
        """Yield events as they come, the terminal one last."""
        ...

    def cancel(self) -> None:
        """Ask for an early end; the events still end in a terminal one."""
        ...


class EngineClient(Protocol):
    """An engine somewhere else: in a worker process, or on a server."""

    async def load(self, model: ModelToLoad, on_progress: ProgressCallback | None = None) -> LoadedModel:
        """Load a model in place of the one that is loaded.

        Raises:
            UserFacingError: it cannot be loaded.
        """
        ...

    async def generate(self, request: GenerateRequest) -> Reply:
        """Start a reply. The client chooses the id; the one in `request` is ignored.

        Raises:
            UserFacingError: there is nothing to answer with.
        """
        ...

    async def count_tokens(self, prompt: Prompt) -> int:
        """Return how many tokens `prompt` takes, chat template included.

        Raises:
            UserFacingError: no model is loaded, or its template fails.
        """
        ...

    async def tokenize(self, prompt: Prompt) -> tuple[int, ...]:
        """Return the token ids of `prompt`, chat template included.

        Raises:
            UserFacingError: no model is loaded, or its template fails.
        """
        ...

    async def measure_bandwidth(self) -> MemoryBandwidth | None:
        """Return how fast the memory of the loaded model can be read; None where that cannot be measured.

        It waits until nothing runs, and takes up to a second of that; a reply that is asked for meanwhile goes first.

        Raises:
            UserFacingError: the worker was lost.
        """
        ...

    async def kept_caches(self) -> tuple[KeptCache, ...]:
        """Return the KV caches that are kept in memory; none where nothing is loaded.

        Raises:
            UserFacingError: the worker was lost.
        """
        ...

    async def forget_caches(self, conversation: str | None) -> None:
        """Drop the KV caches of `conversation` from memory, or all of them; what is on disk already stays there.

        Raises:
            UserFacingError: the worker was lost.
        """
        ...

    async def unload(self) -> None:
        """Give the model's memory back."""
        ...

    async def close(self) -> None:
        """End everything; open replies end in `Failed`. Idempotent."""
        ...
