"""What crosses the pipe: one JSON object a line, in both directions.

Requests carry an id chosen by the client. Each is answered by exactly one terminal message with that id: `Loaded`,
`TokenCount`, `TokenIds`, `BandwidthMeasured`, `CachesListed`, `CachesForgotten`, `Unloaded`, `Finished`, `Cancelled` or
`Failed`.
"""

from __future__ import annotations

import msgspec

from runtime.values.generation import (
    Cancelled,
    Failed,
    Finished,
    GenerateRequest,
    MemoryFigures,
    PromptProgress,
    TextDelta,
)
from runtime.values.kv_cache import KeptCache
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import EngineName, LoadedModel, LoadOptions
from runtime.values.prompt import Prompt

PROTOCOL_VERSION = 1


class Hello(msgspec.Struct, frozen=True, tag=True):
    """First message to a worker: the protocol its client speaks."""

    version: int


class Load(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Load the model at `path` with `engine`; an already loaded one is unloaded first."""

    id: int
    engine: EngineName
    path: str
    options: LoadOptions = LoadOptions()


class Generate(msgspec.Struct, frozen=True, tag=True):
    """Generate text; the id is the request's."""

    request: GenerateRequest


class CountTokens(msgspec.Struct, frozen=True, tag=True):
    """Count the tokens of a prompt, chat template included."""

    id: int
    prompt: Prompt


class Tokenize(msgspec.Struct, frozen=True, tag=True):
    """Turn a prompt into token ids, chat template included."""

    id: int
    prompt: Prompt


class MeasureBandwidth(msgspec.Struct, frozen=True, tag=True):
    """Measure how fast the memory of the loaded model can be read, as soon as nothing else is to be done."""

    id: int


class ListCaches(msgspec.Struct, frozen=True, tag=True):
    """Say which KV caches are kept in memory."""

    id: int


class ForgetCaches(msgspec.Struct, frozen=True, tag=True):
    """Drop the KV caches of a conversation from memory, and do not write them to disk; None means all of them."""

    id: int
    conversation: str | None


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """End the request `id`; unknown or ended ids are ignored."""

    id: int


class Unload(msgspec.Struct, frozen=True, tag=True):
    """Drop the model and give back what the library can give back."""

    id: int


class Shutdown(msgspec.Struct, frozen=True, tag=True):
    """End the worker."""


ToWorker = (
    Hello
    | Load
    | Generate
    | CountTokens
    | Tokenize
    | MeasureBandwidth
    | ListCaches
    | ForgetCaches
    | Cancel
    | Unload
    | Shutdown
)


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Answer to `Hello`: the protocol the worker speaks and its process id."""

    version: int
    pid: int


class LoadProgress(msgspec.Struct, frozen=True, tag=True):
    """How far loading is, from 0 to 1."""

    id: int
    fraction: float


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """The model answers."""

    id: int
    model: LoadedModel


class TokenCount(msgspec.Struct, frozen=True, tag=True):
    """How many tokens the prompt takes."""

    id: int
    tokens: int


class TokenIds(msgspec.Struct, frozen=True, tag=True):
    """The token ids of a prompt."""

    id: int
    token_ids: tuple[int, ...]


class BandwidthMeasured(msgspec.Struct, frozen=True, tag=True):
    """How fast memory is; None where that cannot be measured, or where the model went before it was."""

    id: int
    bandwidth: MemoryBandwidth | None


class CachesListed(msgspec.Struct, frozen=True, tag=True):
    """The KV caches that are kept in memory."""

    id: int
    caches: tuple[KeptCache, ...]


class CachesForgotten(msgspec.Struct, frozen=True, tag=True):
    """They are dropped."""

    id: int


class Unloaded(msgspec.Struct, frozen=True, tag=True):
    """The model is dropped."""

    id: int


class MemorySample(msgspec.Struct, frozen=True, tag=True):
    """What the model takes now; sent a few times a second while requests run. The peak counts since they began."""

    memory: MemoryFigures


FromWorker = (
    Ready
    | LoadProgress
    | Loaded
    | TokenCount
    | TokenIds
    | BandwidthMeasured
    | CachesListed
    | CachesForgotten
    | Unloaded
    | MemorySample
    | PromptProgress
    | TextDelta
    | Finished
    | Cancelled
    | Failed
)
