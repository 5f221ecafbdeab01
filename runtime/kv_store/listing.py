"""What is on disk, cache by cache, without the tokens: for showing it. What has been read once is not read again."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from runtime.kv_store.folder import KvEntry, KvFolder

MOST_NAME_CHARACTERS = 200
REPLACEMENT = "\ufffd"


class StoredCache(msgspec.Struct, frozen=True, kw_only=True):
    """A KV cache on disk.

    Attributes:
        path: its record.
        conversation: the key of the chat that it is of; "" where that is not known.
        model: what the user calls the model.
        engine: which engine wrote it.
        engine_version: that engine's version.
        tokens: how many tokens are in it.
        nbytes: what it takes on disk.
        used_s: when it was last used, in seconds since 1970.
    """

    path: Path
    conversation: str
    model: str
    engine: str
    engine_version: str
    tokens: int
    nbytes: int
    used_s: float


class KvListing:
    """The caches in a folder. A record never changes while it has its name; only when it was used does."""

    def __init__(self, folder: KvFolder) -> None:
        self._folder = folder
        self._known: dict[Path, StoredCache] = {}

    def read(self) -> tuple[StoredCache, ...]:
        """Return the caches that are there now, the one used last first. Blocks."""
        found = [cache for path in self._folder.records() if (cache := self._cache_at(path)) is not None]
        self._known = {cache.path: cache for cache in found}
        return tuple(sorted(found, key=lambda cache: cache.used_s, reverse=True))

    def _cache_at(self, path: Path) -> StoredCache | None:
        known = self._known.get(path)
        if known is None:
            entry = self._folder.entry(path)
            return _summary(entry) if entry is not None else None
        with suppress(OSError):  # Gone since.
            return msgspec.structs.replace(known, used_s=path.stat().st_mtime)
        return None


def model_name_of(entry: KvEntry) -> str:
    """Return what the user calls the model of a cache: on one line and short, whatever the file says."""
    name = entry.record.scope.model_name[:MOST_NAME_CHARACTERS]
    return "".join(character if character.isprintable() else REPLACEMENT for character in name)


def _summary(entry: KvEntry) -> StoredCache:
    record = entry.record
    return StoredCache(
        path=entry.path,
        conversation=record.conversation,
        model=model_name_of(entry),
        engine=record.scope.engine,
        engine_version=record.scope.engine_version,
        tokens=len(record.tokens),
        nbytes=entry.total_bytes,
        used_s=entry.used_s,
    )
