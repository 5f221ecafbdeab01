"""The folder with KV caches: listing them, removing them, and clearing away what is damaged or half written.

A cache is two files of one name, `SCOPE-ID.json` (its record) and `SCOPE-ID.kv` (its payload). Whoever writes or clears
away holds the folder's lock, so that whatever has no record then is debris of a process that ended. Reading needs no
lock: a cache that goes while it is read is a cache that was not there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from runtime.kv_store.record import KvRecord, decode

RECORD_SUFFIX = ".json"
PAYLOAD_SUFFIX = ".kv"
FRESH_SUFFIX = ".new"
LOCK_NAME = "lock"
FOLDER_MODE = 0o700
MAX_RECORD_BYTES = 64_000_000


class KvEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A cache in the folder: its record, where that lies, and when it was last used (seconds since 1970)."""

    record: KvRecord
    path: Path
    used_s: float

    @property
    def payload(self) -> Path:
        """The large file."""
        return self.path.with_suffix(PAYLOAD_SUFFIX)

    @property
    def total_bytes(self) -> int:
        """What both files take, without the record's few kilobytes for names."""
        return self.record.payload_bytes


class KvFolder:
    """A folder of KV caches, for this user alone."""

    def __init__(self, path: Path, clock_s: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock_s = clock_s

    def entries(self) -> list[KvEntry]:
        """Return the caches that are there and whole as far as their records and sizes tell."""
        return [entry for path in self.records() if (entry := self.entry(path)) is not None]

    def records(self) -> list[Path]:
        """Return the files that hold records."""
        return self._files(RECORD_SUFFIX)

    def entry(self, path: Path) -> KvEntry | None:
        """Return the cache whose record is at `path`; None if it is not whole, or gone."""
        try:
            with path.open("rb") as stream:
                record = decode(stream.read(MAX_RECORD_BYTES))
                used_s = os.fstat(stream.fileno()).st_mtime
            size = path.with_suffix(PAYLOAD_SUFFIX).stat().st_size
        except OSError:
            return None
        if record is None or size != record.payload_bytes or not path.stem.startswith(record.scope.key):
            return None
        return KvEntry(record=record, path=path, used_s=used_s)

    def size_bytes(self) -> int:
        """Return what all payloads take, whatever they are."""
        total = 0
        for path in self._files(PAYLOAD_SUFFIX):
            with suppress(OSError):  # Gone since.
                total += path.stat().st_size
        return total

    def stamp(self) -> int:
        """Return a number that changes when a cache is added or removed; 0 while there is no folder."""
        with suppress(OSError):
            return self.path.stat().st_mtime_ns
        return 0

    def touch(self, entry: KvEntry) -> None:
        """Note that `entry` was used now."""
        now_s = self._clock_s()
        with suppress(OSError):
            os.utime(entry.path, (now_s, now_s))

    def remove(self, entry: KvEntry) -> None:
        """Remove a cache: first its record, so that it is gone at once."""
        for path in (entry.path, entry.payload):
            with suppress(OSError):  # Gone already, or, on Windows, being read: the next sweep takes it.
                path.unlink()

    def clear(self, is_meant: Callable[[KvEntry], bool] = lambda _: True) -> list[KvEntry]:
        """Remove the caches that are meant, and debris; return what was removed."""
        meant = [entry for entry in self.entries() if is_meant(entry)]
        for entry in meant:
            self.remove(entry)
        self.sweep()
        return meant

    def sweep(self) -> None:
        """Remove what is damaged, of another form, or half written, unless another process is writing just now."""
        with suppress(Timeout, OSError), self.locked(timeout_s=0):
            self.sweep_locked()

    def sweep_locked(self) -> None:
        """Do the same while this process holds the lock."""
        whole = {entry.path.stem for entry in self.entries()}
        for suffix in (RECORD_SUFFIX, PAYLOAD_SUFFIX, FRESH_SUFFIX):
            for path in self._files(suffix):
                if suffix == FRESH_SUFFIX or path.stem not in whole:
                    with suppress(OSError):
                        path.unlink()

    def make(self) -> None:
        """Make the folder if need be, for this user alone.

        Raises:
            OSError: it cannot be made.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        self.path.chmod(FOLDER_MODE)

    @contextmanager
    def locked(self, timeout_s: float) -> Iterator[None]:
        """Make the folder if need be, and hold its lock.

        Raises:
            Timeout: another process holds it for longer.
            OSError: the folder cannot be made.
        """
        self.make()
        with FileLock(self.path / LOCK_NAME, timeout=timeout_s, mode=0o600):
            yield

    def _files(self, suffix: str) -> list[Path]:
        try:
            return sorted(path for path in self.path.iterdir() if path.suffix == suffix and path.is_file())
        except OSError:
            return []
