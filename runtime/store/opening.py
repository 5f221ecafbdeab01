"""Opening the database: what is healthy is opened, what is new is made, what is damaged is kept aside and replaced.

A file from a newer version of the app is refused and never touched. Processes open one after another, under a lock
that each then shares for as long as it lives: so a file is only ever taken away from a path when nobody else uses it,
and a reply in state `streaming` found by a process that is alone is known to be abandoned.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import time_ns

import msgspec

from runtime.store import failures, migrations
from runtime.store.chats import Chats
from runtime.store.damage import damage_of, keep_aside, replacement_for
from runtime.store.database import Database, connect
from runtime.store.exchanges import Exchanges
from runtime.store.messages import Messages
from runtime.store.opening_lock import OpeningLock
from runtime.store.presets import Presets
from runtime.store.reading_costs import ReadingCosts
from runtime.store.replies import Replies
from runtime.store.search import Search
from runtime.store.ui_state import UiState
from runtime.values.chat import DamageNotice
from runtime.values.errors import StoreError

FILE_NAME = "chats.sqlite3"
MINIMUM_SQLITE = (3, 37)
NS_PER_MS = 1_000_000


class Store:
    """An open database, by its parts. Belongs to the thread that opened it."""

    def __init__(self, database: Database, lock: OpeningLock, now_unix_ms: Callable[[], int]) -> None:
        self.file = database.file
        self.now_unix_ms = now_unix_ms
        self.database = database
        self.chats = Chats(database, now_unix_ms)
        self.messages = Messages(database, now_unix_ms)
        self.replies = Replies(database, self.messages, now_unix_ms)
        self.exchanges = Exchanges(database, self.chats, self.messages, self.replies)
        self.search = Search(database)
        self.costs = ReadingCosts(database)
        self.presets = Presets(database)
        self.ui_state = UiState(database)
        self._lock = lock

    def close(self) -> None:
        """Close the database. Replies still being written are marked interrupted at the next start."""
        try:
            self.database.close()
        finally:
            self._lock.release()


class OpenedStore(msgspec.Struct, frozen=True):
    """A store, and what there is to tell about its opening.

    Attributes:
        store: the open store.
        damage: what happened to a database that could not be used; None for nothing.
        interrupted_replies: replies whose writer had been killed.
    """

    store: Store
    damage: DamageNotice | None
    interrupted_replies: int


def unix_ms_now() -> int:
    """Return the time of day in milliseconds since 1970 UTC."""
    return time_ns() // NS_PER_MS


def open_store(file: Path, *, now_unix_ms: Callable[[], int] = unix_ms_now) -> OpenedStore:
    """Open the database at `file`, making it and its folder if there is none.

    A damaged database is renamed (`OpenedStore.damage` names it), and what can be read of it is in the new one.

    Raises:
        StoreError: the folder cannot be written, the disk is full, another process is in the way, or the file comes
            from a newer version. Nothing has been changed.
    """
    _require_sqlite()
    _make_folder(file)
    lock = OpeningLock(file)
    try:
        lock.acquire()
        damage = _usable(file, lock, now_unix_ms())
        with failures.translated(file):
            connection = connect(file)
        try:
            store, interrupted = _opened(connection, file, lock, now_unix_ms)
        except BaseException:
            connection.close()
            raise
        lock.share()
    except BaseException:
        lock.release()
        raise
    return OpenedStore(store, damage, interrupted)


def _usable(file: Path, lock: OpeningLock, now_unix_ms: int) -> DamageNotice | None:
    """See to it that there is a healthy database at `file`."""
    reason = damage_of(file)
    if reason is None and file.exists():
        return None
    if reason is not None and not lock.is_alone:
        raise failures.damaged(file, f"{reason}; another window of First Token is still using it")
    replacement, chats, messages = replacement_for(file, now_unix_ms)
    kept_aside = keep_aside(file, now_unix_ms) if reason is not None else None
    with failures.files_translated(file):
        replacement.rename(file)
    if reason is None or kept_aside is None:
        return None
    return DamageNotice(kept_aside=str(kept_aside), reason=reason, salvaged_chats=chats, salvaged_messages=messages)


def _opened(
    connection: sqlite3.Connection, file: Path, lock: OpeningLock, now_unix_ms: Callable[[], int]
) -> tuple[Store, int]:
    with failures.translated(file):
        migrations.migrate(connection)
    store = Store(Database(connection, file), lock, now_unix_ms)
    return store, len(store.replies.end_abandoned()) if lock.is_alone else 0


def _make_folder(file: Path) -> None:
    with failures.files_translated(file):
        file.parent.mkdir(parents=True, exist_ok=True)


def _require_sqlite() -> None:
    if sqlite3.sqlite_version_info < MINIMUM_SQLITE:
        raise StoreError(
            f"This Python brings SQLite {sqlite3.sqlite_version}; chats need 3.37 or newer.",
            "Install First Token with a newer Python.",
        )
