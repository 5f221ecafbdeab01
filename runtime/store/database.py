"""One connection to the database: how it is set up, transactions, and rows as typed values.

Commits are durable against a kill and against power loss (write-ahead log, `synchronous=FULL`): one costs a write to
the disk, so whoever writes often gathers first (`runtime.store.replies`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from runtime.store import failures
from runtime.values.errors import StoreError

BUSY_TIMEOUT_S = 5.0
APPLICATION_ID = 0x46544F4B  # "FTOK": tells our files from other programs' databases
DAMAGE_NOTE = "store/damage"  # entry in `ui_state`: damage that only shows in use, for the next start to deal with
LOG_LIMIT_BYTES = 16 * 1024 * 1024
Parameters = Sequence[object] | Mapping[str, object]
Row = TypeVar("Row")

SETTINGS = f"""
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA secure_delete = ON;
PRAGMA cell_size_check = ON;
PRAGMA journal_size_limit = {LOG_LIMIT_BYTES};
"""


class Database:
    """A connection. Belongs to the thread that made it."""

    def __init__(self, connection: sqlite3.Connection, file: Path) -> None:
        self.file = file
        self._connection = connection
        self._damage = ""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do everything inside, durably, or nothing of it. Transactions do not nest.

        Raises:
            StoreError: nothing was written; the same call may be tried again.
        """
        try:
            with failures.translated(self.file):
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self._connection.execute("COMMIT")
                finally:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
        except StoreError as error:
            if failures.is_index_damage(error):
                self.rebuild_search_index()
            raise

    def write(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a statement within a transaction and return how many rows it changed."""
        with failures.translated(self.file):
            return self._connection.execute(sql, parameters).rowcount

    def insert(self, sql: str, parameters: Parameters = ()) -> int:
        """Run an INSERT within a transaction and return the new row's id."""
        with failures.translated(self.file):
            return self._connection.execute(sql, parameters).lastrowid or 0

    def rows(self, kind: type[Row], sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return all rows, each as a `kind`: a tuple type or an array-like struct."""
        with failures.translated(self.file):
            found: list[object] = self._connection.execute(sql, parameters).fetchall()
        return [self._typed(kind, row) for row in found]

    def each_row(self, kind: type[Row], sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """Yield rows one by one, for queries that may be left early."""
        with failures.translated(self.file):
            cursor = self._connection.execute(sql, parameters)
            try:
                while (row := cursor.fetchone()) is not None:
                    yield self._typed(kind, row)
            finally:
                cursor.close()

    def _typed(self, kind: type[Row], row: object) -> Row:
        try:
            return msgspec.convert(row, kind)
        except msgspec.ValidationError as error:
            self._damage = str(error)
            raise failures.damaged(self.file, self._damage) from error

    def rebuild_search_index(self) -> None:
        """Make the search index anew from the messages: about 0.3 s for a megabyte of text."""
        with failures.translated(self.file):
            self._connection.execute("INSERT INTO message_index (message_index) VALUES ('rebuild')")

    def close(self) -> None:
        """Close the connection; the last one to close moves the write-ahead log into the file."""
        with failures.translated(self.file):
            try:
                if self._damage:
                    note = (DAMAGE_NOTE, self._damage.encode())
                    self._connection.execute("INSERT OR REPLACE INTO ui_state (name, value) VALUES (?, ?)", note)
            finally:
                self._connection.close()


def connect(file: Path) -> sqlite3.Connection:
    """Open `file` for reading and writing, in write-ahead mode, with this product's settings.

    Raises:
        sqlite3.Error: the file cannot be opened.
    """
    connection = plain_connection(str(file))
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SETTINGS)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def read_only_connection(file: Path) -> sqlite3.Connection:
    """Open `file` without ever changing it.

    Raises:
        sqlite3.Error: the file cannot be opened.
    """
    return plain_connection(f"{file.absolute().as_uri()}?mode=ro", is_uri=True)


def plain_connection(target: str, *, is_uri: bool = False) -> sqlite3.Connection:
    """Open a connection without settings; transactions are begun and ended by hand."""
    connection = sqlite3.connect(target, timeout=BUSY_TIMEOUT_S, isolation_level=None, uri=is_uri)
    connection.text_factory = _text
    return connection


def _text(content: bytes) -> str:
    """Decode a text column; a flipped bit may cost a character, never the message."""
    return content.decode("utf-8", "replace")
