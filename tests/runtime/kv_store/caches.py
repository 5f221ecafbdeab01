"""KV caches to write: a payload that its tokens determine, so that a test can tell what must come back."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from runtime.kv_store.folder import KvEntry, KvFolder
from runtime.kv_store.payload import Pieces
from runtime.kv_store.record import KvScope
from runtime.kv_store.store import KvContent, KvStore

SCOPE = KvScope(model_key="m", engine="mlx", engine_version="mlx 1", settings="bits=None", model_name="Tiny")
OTHER_SCOPE = KvScope(
    model_key="other", engine="llamacpp", engine_version="xllamacpp 1", settings="bits=None", model_name="Other"
)


def payload_of(tokens: tuple[int, ...], size: int) -> bytes:
    """Return the payload that goes with these tokens."""
    return random.Random(repr(tokens)).randbytes(size)


def content_of(tokens: tuple[int, ...], size: int = 1000, saved_ms: float = 100.0) -> KvContent:
    """Return a cache of these tokens, in pieces of uneven size."""
    payload = payload_of(tokens, size)
    pieces = [payload[start : start + 700_001] for start in range(0, size, 700_001)]
    return KvContent(tokens=tokens, layout="{}", payload=Pieces(size, pieces), saved_ms=saved_ms)


def store_in(path: Path, scope: KvScope = SCOPE, budget_bytes: int | None = 10**9) -> KvStore:
    """Return a store in the folder `path`."""
    return KvStore(KvFolder(path), scope, budget_bytes)


def is_right(entry: KvEntry) -> bool:
    """Return whether a cache holds exactly what `content_of` gives for its tokens."""
    return entry.payload.read_bytes() == payload_of(entry.record.tokens, entry.record.payload_bytes)


def write_for_ever(path: Path, seed: int, rounds: int, budget_bytes: int) -> None:
    """Write caches of random tokens and sizes, reading some of those that are there in between."""
    draw = random.Random(seed)
    store = store_in(path, draw.choice([SCOPE, OTHER_SCOPE]), budget_bytes)
    for _ in range(rounds):
        tokens = tuple(draw.randrange(3) for _ in range(draw.randrange(1, 9)))
        store.write(content_of(tokens, draw.randrange(1, 200_000)))
        for entry in store.entries()[:1]:
            store.checked(entry)


if __name__ == "__main__":
    write_for_ever(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
