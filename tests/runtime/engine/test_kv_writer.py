"""Writing KV caches while nothing is asked: when it begins, what it leaves out, and that it stops."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import msgspec

from runtime.engine.kv_writer import KvWriter
from runtime.kv_store.folder import KvFolder
from runtime.kv_store.payload import Interrupted, Written
from runtime.kv_store.store import KvContent
from tests.runtime.kv_store.caches import content_of, store_in

LONG_S = 3600.0
WAIT_S = 30.0


class Blocking:
    """A payload that holds up its engine, and is written when it is let."""

    def __init__(self, blocking_s: float) -> None:
        self.nbytes = 1
        self.blocking_s = blocking_s
        self.begun = Event()
        self.may_end = Event()

    def write(self, path: Path, should_stop: Callable[[], bool]) -> Written:
        """Write one byte as soon as that is allowed."""
        self.begun.set()
        self.may_end.wait(WAIT_S)
        if should_stop():
            raise Interrupted
        path.write_bytes(b"1")
        return Written(1, "")


def blocking(payload: Blocking) -> KvContent:
    return msgspec.structs.replace(content_of((9,)), payload=payload)


def written(path: Path) -> set[tuple[int, ...]]:
    return {entry.record.tokens for entry in KvFolder(path).entries()}


def test_writes_when_nothing_was_asked_for_a_while(tmp_path: Path) -> None:
    writer = KvWriter(store_in(tmp_path), idle_s=0.0)
    writer.write_soon([content_of((1, 2)), content_of((3, 4))])
    deadline_s = time.monotonic() + WAIT_S
    while written(tmp_path) != {(1, 2), (3, 4)}:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_writes_nothing_that_was_paused_or_replaced(tmp_path: Path) -> None:
    writer = KvWriter(store_in(tmp_path), idle_s=LONG_S)
    writer.write_soon([content_of((1, 2))])
    writer.write_soon([content_of((3, 4))])
    writer.flush(WAIT_S)
    assert written(tmp_path) == {(3, 4)}
    writer.write_soon([content_of((5, 6))])
    writer.pause()
    writer.flush(WAIT_S)
    assert written(tmp_path) == {(3, 4)}


def test_what_would_block_for_longer_than_there_is_time_is_left_out_at_the_end(tmp_path: Path) -> None:
    writer = KvWriter(store_in(tmp_path), idle_s=0.0)
    slow = Blocking(blocking_s=LONG_S)
    writer.write_soon([blocking(slow), content_of((1, 2))])
    writer.flush(WAIT_S)
    assert written(tmp_path) == {(1, 2)}
    assert not slow.begun.is_set()


def test_halting_waits_for_what_is_being_written(tmp_path: Path) -> None:
    writer = KvWriter(store_in(tmp_path), idle_s=0.0)
    slow = Blocking(blocking_s=0.0)
    writer.write_soon([blocking(slow), content_of((1, 2))])
    assert slow.begun.wait(WAIT_S)
    writer.pause()
    slow.may_end.set()
    writer.halt()
    assert written(tmp_path) == set()
    assert [file.name for file in tmp_path.iterdir()] == ["lock"]
