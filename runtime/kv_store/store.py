"""Finding the KV cache on disk that saves a prompt most, and writing one: whole or not at all, in pieces.

Whatever goes wrong with a file costs time only: what cannot be read, or is not what was written, is removed and was
never there.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
from filelock import Timeout

from runtime.kv_store.checksum import file_checksum
from runtime.kv_store.eviction import RESERVE_BYTES, default_budget_bytes, to_evict
from runtime.kv_store.folder import FRESH_SUFFIX, PAYLOAD_SUFFIX, RECORD_SUFFIX, KvEntry, KvFolder
from runtime.kv_store.payload import Interrupted, PayloadSource, Written, new_private_file, write_all
from runtime.kv_store.record import FORM, KvRecord, KvScope, encode
from runtime.metrics.disk import free_bytes

LOCK_TIMEOUT_S = 10.0
TICK_S = 2.0
"""The coarsest clock of a file system: FAT's."""


class KvContent(msgspec.Struct, frozen=True, kw_only=True):
    """A KV cache to write.

    Attributes:
        tokens: the tokens in it, or the first of them where its payload tells the rest.
        layout: how to read the payload; whatever the engine likes.
        payload: its content.
        saved_ms: what reading the tokens takes without it.
        conversation: the key of the chat that it is of; "" where that is not known.
    """

    tokens: tuple[int, ...]
    layout: str
    payload: PayloadSource
    saved_ms: float
    conversation: str = ""


class KvStore:
    """KV caches of one scope.

    Args:
        folder: where they are.
        scope: for what they are good.
        budget_bytes: what all caches of all scopes may take on disk; None measures.
        clock_s: seconds since 1970.
    """

    def __init__(
        self,
        folder: KvFolder,
        scope: KvScope,
        budget_bytes: int | None = None,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._scope = scope
        self._budget_bytes = budget_bytes
        self._clock_s = clock_s
        self._stamp = -1
        self._known: list[KvEntry] = []

    def entries(self) -> list[KvEntry]:
        """Return the caches of this scope; the folder is read only when something in it has changed."""
        stamp = self._folder.stamp()
        if stamp != self._stamp:
            # Within a tick of the file system's clock a second change would leave the stamp as it is.
            is_settled = self._clock_s() - stamp / 1e9 > TICK_S
            self._known = [entry for entry in self._folder.entries() if entry.record.scope.key == self._scope.key]
            self._stamp = stamp if is_settled else -1
        return self._known

    def checked(self, entry: KvEntry) -> bool:
        """Return whether the payload of `entry` is what was written, and count that as a use; remove it if not."""
        with suppress(OSError, ValueError):
            if file_checksum(entry.payload) == entry.record.payload_digest:
                self._folder.touch(entry)
                return True
        self.remove(entry)
        return False

    def remove(self, entry: KvEntry) -> None:
        """Remove a cache."""
        self._folder.remove(entry)
        self._stamp = -1

    def write(self, content: KvContent, should_stop: Callable[[], bool] = lambda: False) -> bool:
        """Write a cache, and remove those whose tokens it begins with; return whether it is there now.

        It is not if it is larger than the budget, if the disk is full, if another process keeps writing, or if
        `should_stop` says so in time. What it replaces goes only when it is there.
        """
        try:
            with self._folder.locked(LOCK_TIMEOUT_S):
                self._folder.sweep_locked()
                if not self._make_room(content):
                    return False
                path, record = self._write(content, should_stop)
        except (OSError, Timeout, Interrupted):
            return False
        self._stamp = -1
        for entry in self._replaced_by(record.tokens):
            if entry.path != path:
                self.remove(entry)
        return True

    def _replaced_by(self, tokens: tuple[int, ...]) -> list[KvEntry]:
        return [entry for entry in self.entries() if _begins_with(tokens, entry.record.tokens)]

    def _make_room(self, content: KvContent) -> bool:
        payload_bytes = content.payload.nbytes
        entries = self._folder.entries()
        left_bytes = free_bytes(self._folder.path)
        used_bytes = sum(entry.total_bytes for entry in entries)
        budget = self._budget_bytes if self._budget_bytes is not None else default_budget_bytes(left_bytes, used_bytes)
        replaced = {entry.path for entry in self._replaced_by(content.tokens)}
        staying = [entry for entry in entries if entry.path not in replaced]
        if payload_bytes > budget:
            return False
        for entry in to_evict(staying, payload_bytes, budget, self._clock_s()):
            left_bytes += entry.total_bytes
            self._folder.remove(entry)
        return left_bytes - payload_bytes >= RESERVE_BYTES

    def _write(self, content: KvContent, should_stop: Callable[[], bool]) -> tuple[Path, KvRecord]:
        name = f"{self._scope.key}-{uuid.uuid4().hex}"
        payload = self._folder.path / (name + PAYLOAD_SUFFIX)
        path = self._folder.path / (name + RECORD_SUFFIX)
        try:
            record = self._record(content, content.payload.write(_fresh(payload), should_stop))
            _fresh(payload).replace(payload)
            with new_private_file(_fresh(path)) as stream:
                write_all(stream, memoryview(encode(record)))
            _fresh(path).replace(path)
        except BaseException:
            for half in (_fresh(payload), payload, _fresh(path)):
                half.unlink(missing_ok=True)
            raise
        return path, record

    def _record(self, content: KvContent, written: Written) -> KvRecord:
        return KvRecord(
            form=FORM,
            scope=self._scope,
            tokens=content.tokens + written.further_tokens,
            layout=content.layout,
            payload_bytes=written.nbytes,
            payload_digest=written.digest,
            saved_ms=content.saved_ms,
            created_s=self._clock_s(),
            conversation=content.conversation,
        )


def _fresh(path: Path) -> Path:
    return path.with_name(path.name + FRESH_SUFFIX)


def _begins_with(tokens: tuple[int, ...], start: tuple[int, ...]) -> bool:
    return tokens[: len(start)] == start
