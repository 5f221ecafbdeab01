"""Finding the KV cache on disk that saves a prompt most, and writing one: whole or not at all, in pieces.

Whatever goes wrong with a file costs time only: what cannot be read, or is not what was written, is removed and was
never there.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
from filelock import Timeout

from runtime.kv_store.checksum import BLOCK_BYTES, Buffer, Checksum, file_checksum
from runtime.kv_store.eviction import RESERVE_BYTES, default_budget_bytes, to_evict
from runtime.kv_store.folder import FRESH_SUFFIX, PAYLOAD_SUFFIX, RECORD_SUFFIX, KvEntry, KvFolder
from runtime.kv_store.record import FORM, KvRecord, KvScope, encode
from runtime.metrics.disk import free_bytes

LOCK_TIMEOUT_S = 10.0
TICK_S = 2.0
"""The coarsest clock of a file system: FAT's."""


class KvContent(msgspec.Struct, frozen=True, kw_only=True):
    """A KV cache to write.

    Attributes:
        tokens: the tokens in it.
        layout: how to read the payload; whatever the engine likes.
        payload_bytes: size of all pieces together.
        pieces: the payload, piece by piece; contiguous buffers of bytes.
        saved_ms: what reading the tokens takes without it.
        conversation: the key of the chat that it is of; "" where that is not known.
    """

    tokens: tuple[int, ...]
    layout: str
    payload_bytes: int
    pieces: Iterable[Buffer]
    saved_ms: float
    conversation: str = ""


class Interrupted(Exception):  # noqa: N818 - it is no error
    """Writing was told to stop."""


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
        `should_stop` says so between two pieces. What it replaces goes only when it is there.
        """
        try:
            with self._folder.locked(LOCK_TIMEOUT_S):
                self._folder.sweep_locked()
                replaced = [entry for entry in self.entries() if _begins_with(content.tokens, entry.record.tokens)]
                if not self._make_room(content.payload_bytes, replaced):
                    return False
                self._write(content, should_stop)
        except (OSError, Timeout, Interrupted):
            return False
        for entry in replaced:
            self._folder.remove(entry)
        self._stamp = -1
        return True

    def _make_room(self, payload_bytes: int, replaced: list[KvEntry]) -> bool:
        entries = self._folder.entries()
        left_bytes = free_bytes(self._folder.path)
        used_bytes = sum(entry.total_bytes for entry in entries)
        budget = self._budget_bytes if self._budget_bytes is not None else default_budget_bytes(left_bytes, used_bytes)
        staying = [entry for entry in entries if entry.path not in {one.path for one in replaced}]
        if payload_bytes > budget:
            return False
        for entry in to_evict(staying, payload_bytes, budget, self._clock_s()):
            left_bytes += entry.total_bytes
            self._folder.remove(entry)
        return left_bytes - payload_bytes >= RESERVE_BYTES

    def _write(self, content: KvContent, should_stop: Callable[[], bool]) -> None:
        name = f"{self._scope.key}-{uuid.uuid4().hex}"
        payload = self._folder.path / (name + PAYLOAD_SUFFIX)
        record = self._folder.path / (name + RECORD_SUFFIX)
        try:
            digest = _write_payload(_fresh(payload), content, should_stop)
            _fresh(payload).replace(payload)
            _write_whole(_fresh(record), encode(self._record(content, digest)))
            _fresh(record).replace(record)
        except BaseException:
            for path in (_fresh(payload), payload, _fresh(record)):
                path.unlink(missing_ok=True)
            raise

    def _record(self, content: KvContent, digest: str) -> KvRecord:
        return KvRecord(
            form=FORM,
            scope=self._scope,
            tokens=content.tokens,
            layout=content.layout,
            payload_bytes=content.payload_bytes,
            payload_digest=digest,
            saved_ms=content.saved_ms,
            created_s=self._clock_s(),
            conversation=content.conversation,
        )


def _fresh(path: Path) -> Path:
    return path.with_name(path.name + FRESH_SUFFIX)


def _begins_with(tokens: tuple[int, ...], start: tuple[int, ...]) -> bool:
    return tokens[: len(start)] == start


def _private(path: Path) -> BinaryIO:
    """Open a new file that only this user can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)


def _write_whole(path: Path, content: bytes) -> None:
    with _private(path) as stream:
        _write_all(stream, memoryview(content))


def _write_all(stream: BinaryIO, view: memoryview) -> None:
    """Write all of `view`; a single call may write less."""
    while view:
        view = view[stream.write(view) :]


def _write_payload(path: Path, content: KvContent, should_stop: Callable[[], bool]) -> str:
    """Write the pieces, block by block, and return their checksum.

    What is written is not forced to the disk: after a power cut the checksum tells, and the prompt is read again.
    """
    checksum = Checksum()
    block = bytearray(min(BLOCK_BYTES, max(content.payload_bytes, 1)))
    filled = written = 0
    with _private(path) as stream:
        for piece in content.pieces:
            rest = memoryview(piece)
            while rest:
                if should_stop():
                    raise Interrupted
                taken = min(len(rest), len(block) - filled)
                block[filled : filled + taken] = rest[:taken]
                filled, rest = filled + taken, rest[taken:]
                if filled == BLOCK_BYTES:
                    written += _flush(stream, checksum, memoryview(block))
                    filled = 0
        written += _flush(stream, checksum, memoryview(block)[:filled])
    if written != content.payload_bytes:
        raise ValueError(f"{written} bytes came instead of {content.payload_bytes}")
    return checksum.hexdigest()


def _flush(stream: BinaryIO, checksum: Checksum, block: memoryview) -> int:
    if block:
        _write_all(stream, block)
        checksum.add(block)
    return len(block)
