"""The lock that processes take in turn to open the database, and then share while they use it.

It is an empty SQLite file beside the database, for its locks work the same way on every system and go with the process
that held them.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from runtime.store import failures
from runtime.store.database import BUSY_TIMEOUT_S, plain_connection


class OpeningLock:
    """Lock beside the database at `file`.

    Attributes:
        is_alone: whether no other process had the database open when the lock was acquired.
    """

    def __init__(self, file: Path) -> None:
        self.is_alone = False
        self._file = file.with_name(file.name + ".lock")
        self._connection: sqlite3.Connection | None = None

    def acquire(self) -> None:
        """Wait for the processes that are opening the database now.

        Raises:
            StoreError: one of them takes too long, or the folder cannot be written.
        """
        with failures.translated(self._file):
            self._connection = plain_connection(str(self._file))
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("ROLLBACK")
            self.is_alone = self._taken_at_once(self._connection)
            if not self.is_alone:
                self._connection.execute("BEGIN IMMEDIATE")

    def _taken_at_once(self, connection: sqlite3.Connection) -> bool:
        """Take the lock for this process alone, unless others share it."""
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if failures.error_name(error) != "SQLITE_BUSY":
                raise
            return False
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
        return True

    def share(self) -> None:
        """Let others open the database, and tell them that it is in use."""
        if self._connection is None:
            raise RuntimeError("the lock was not acquired")
        with failures.translated(self._file):
            self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def release(self) -> None:
        """Let go. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
