"""Earlier runs, in a SQLite file of their own: what they measured, to look at and to compare with.

A row is kept as the JSON it is exported as, with the columns that lists need beside it. Belongs to the thread that
opened it. A damaged file is kept aside under another name, what can be read of it goes into a new one, and the opener
is told; a file from a newer version of the app is refused and never touched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import time_ns

import msgspec

from runtime.bench.comparison import EarlierRow
from runtime.bench.record import BenchRow
from runtime.values.errors import FirstTokenError, StoreError

FILE_NAME = "benchmarks.sqlite3"
APPLICATION_ID = 0x46544248
SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 5.0
NS_PER_MS = 1_000_000
MOST_COMPARED_RUNS = 200
COMPANIONS = ("", "-wal", "-shm", "-journal")
TABLES = {
    "runs": "CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT, started_unix_ms INTEGER NOT NULL,"
    " command TEXT NOT NULL, cancelled INTEGER NOT NULL) STRICT",
    "run_rows": "CREATE TABLE run_rows (run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,"
    " place INTEGER NOT NULL, model TEXT NOT NULL, test TEXT NOT NULL, content TEXT NOT NULL,"
    " PRIMARY KEY (run_id, place)) STRICT",
}
DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is over.

    Attributes:
        started_unix_ms: when it began, in ms since 1970 UTC.
        command: the command line that repeats it.
        cancelled: whether it was ended early.
        rows: what it measured.
    """

    started_unix_ms: int
    command: str
    cancelled: bool
    rows: tuple[BenchRow, ...]


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of runs shows of one: see `RunRecord`; models and tests in the order of its rows."""

    id: int
    started_unix_ms: int
    command: str
    cancelled: bool
    models: tuple[str, ...]
    tests: tuple[str, ...]


class HistoryDamage(msgspec.Struct, frozen=True):
    """A history that could not be used: where it is kept, what is wrong with it, how many runs could be read of it."""

    kept_aside: str
    reason: str
    salvaged_runs: int


class History:
    """An open history."""

    def __init__(self, connection: sqlite3.Connection, file: Path) -> None:
        self._connection = connection
        self._file = file

    def add(self, run: RunRecord) -> int:
        """Keep a run, whole or not at all; return its id.

        Raises:
            StoreError: it cannot be written.
        """
        with _translated(self._file), self._connection:
            return _insert(self._connection, run, [msgspec.json.encode(row).decode() for row in run.rows])

    def runs(self, limit: int = 1000) -> tuple[RunSummary, ...]:
        """Return the runs, the latest first.

        Raises:
            StoreError: the file cannot be read.
        """
        with _translated(self._file):
            found = self._connection.execute(
                "SELECT id, started_unix_ms, command, cancelled FROM runs ORDER BY id DESC LIMIT ?", (limit,)
            ).fetchall()
            return tuple(self._summary(*run) for run in found)

    def rows(self, run_id: int) -> tuple[BenchRow, ...]:
        """Return the rows of a run; those that another version of the app wrote in a form of its own are left out.

        Raises:
            StoreError: the file cannot be read.
        """
        rows: list[BenchRow] = []
        for content in self._contents(run_id):
            with suppress(msgspec.MsgspecError):
                rows.append(msgspec.json.decode(content, type=BenchRow))
        return tuple(rows)

    def earlier_rows(self) -> tuple[EarlierRow, ...]:
        """Return all recent rows as rows to compare with, the oldest first.

        Raises:
            StoreError: the file cannot be read.
        """
        rows: list[EarlierRow] = []
        for run in reversed(self.runs(MOST_COMPARED_RUNS)):
            for content in self._contents(run.id):
                with suppress(msgspec.MsgspecError):
                    rows.append(msgspec.json.decode(content, type=EarlierRow))
        return tuple(rows)

    def delete(self, run_id: int) -> None:
        """Forget a run for good.

        Raises:
            StoreError: the file cannot be written.
        """
        with _translated(self._file), self._connection:
            self._connection.execute("DELETE FROM runs WHERE id = ?", (run_id,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _summary(self, run_id: int, started_unix_ms: int, command: str, cancelled: int) -> RunSummary:
        named = self._connection.execute(
            "SELECT model, test FROM run_rows WHERE run_id = ? ORDER BY place", (run_id,)
        ).fetchall()
        return RunSummary(
            id=run_id,
            started_unix_ms=started_unix_ms,
            command=command,
            cancelled=bool(cancelled),
            models=tuple(dict.fromkeys(model for model, _ in named)),
            tests=tuple(dict.fromkeys(test for _, test in named)),
        )

    def _contents(self, run_id: int) -> list[str]:
        with _translated(self._file):
            return _contents(self._connection, run_id)


class OpenedHistory(msgspec.Struct, frozen=True):
    """A history, and what there is to tell about its opening; None for nothing."""

    history: History
    damage: HistoryDamage | None


def unix_ms_now() -> int:
    """Return the time of day in milliseconds since 1970 UTC."""
    return time_ns() // NS_PER_MS


def open_history(file: Path) -> OpenedHistory:
    """Open the history at `file`, making it and its folder if there is none.

    Raises:
        StoreError: it cannot be opened or made, or a newer version of the app wrote it. Nothing has been changed.
    """
    with _files_translated(file), _translated(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        reason = _flaw(file)
        if reason is None:
            return OpenedHistory(History(_connected(file), file), None)
        kept_aside = _keep_aside(file)
        connection = _connected(file)
        damage = HistoryDamage(str(kept_aside), reason, _salvage(kept_aside, connection))
        return OpenedHistory(History(connection, file), damage)


def _connected(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=BUSY_TIMEOUT_S)
    connection.text_factory = _text
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            if not _tables(connection):
                for sql in TABLES.values():
                    connection.execute(sql)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    except BaseException:
        connection.close()
        raise
    return connection


def _read_only(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    connection.text_factory = _text
    return connection


def _text(content: bytes) -> str:
    """Decode a text column; a flipped bit costs a row at most, never the whole list."""
    return content.decode("utf-8", "replace")


def _tables(connection: sqlite3.Connection) -> set[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    return {name for (name,) in found}


def _flaw(file: Path) -> str | None:
    """Return why the file cannot be used; None if it can, or is not there."""
    if not file.exists() or file.stat().st_size == 0:
        return None
    try:
        with closing(_read_only(file)) as connection:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if application == APPLICATION_ID and version > SCHEMA_VERSION:
                raise StoreError(
                    f"The benchmark history {file} was written by a newer version of First Token.",
                    "Update First Token, or move the file away to start a new history.",
                )
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                return str(verdict)
            if application != APPLICATION_ID or _tables(connection) != set(TABLES):
                return "it is not a benchmark history"
    except sqlite3.Error as error:
        if not _name(error).startswith(DAMAGE):
            raise
        return str(error)
    return None


def _keep_aside(file: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    names = (f"{file.stem}.corrupt-{stamp}{suffix}{file.suffix}" for suffix in ("", *(f"-{n}" for n in range(2, 1000))))
    target = next(path for name in names if not (path := file.with_name(name)).exists())
    for companion in COMPANIONS:
        source = file.with_name(file.name + companion)
        if source.exists():
            source.rename(target.with_name(target.name + companion))
    return target


def _salvage(damaged: Path, target: sqlite3.Connection) -> int:
    """Copy the runs that can be read whole; return how many those are."""
    saved = 0
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{damaged.absolute().as_uri()}?mode=ro", uri=True)) as source,
    ):
        (last,) = source.execute("SELECT max(id) FROM runs").fetchone()
        for run_id in range(1, (last or 0) + 1):
            with suppress(sqlite3.Error, msgspec.MsgspecError, UnicodeDecodeError), target:
                saved += _salvage_run(source, target, run_id)
    return saved


def _salvage_run(source: sqlite3.Connection, target: sqlite3.Connection, run_id: int) -> int:
    found = source.execute("SELECT started_unix_ms, command, cancelled FROM runs WHERE id = ?", (run_id,)).fetchone()
    if found is None:
        return 0
    contents = _contents(source, run_id)
    rows = tuple(msgspec.json.decode(content, type=BenchRow) for content in contents)
    started, command, cancelled = found
    run = RunRecord(started_unix_ms=int(started), command=str(command), cancelled=bool(cancelled), rows=rows)
    _insert(target, run, contents)
    return 1


def _insert(connection: sqlite3.Connection, run: RunRecord, contents: Sequence[str]) -> int:
    added = connection.execute(
        "INSERT INTO runs (started_unix_ms, command, cancelled) VALUES (?, ?, ?)",
        (run.started_unix_ms, run.command, int(run.cancelled)),
    )
    run_id = int(added.lastrowid or 0)
    connection.executemany(
        "INSERT INTO run_rows (run_id, place, model, test, content) VALUES (?, ?, ?, ?, ?)",
        [
            (run_id, place, row.model.name, row.test, content)
            for place, (row, content) in enumerate(zip(run.rows, contents, strict=True))
        ],
    )
    return run_id


def _contents(connection: sqlite3.Connection, run_id: int) -> list[str]:
    found = connection.execute("SELECT content FROM run_rows WHERE run_id = ? ORDER BY place", (run_id,))
    return [str(content) for (content,) in found.fetchall()]


def _name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", "") or ""


@contextmanager
def _translated(file: Path) -> Iterator[None]:
    try:
        yield
    except FirstTokenError:
        raise
    except sqlite3.Error as error:
        damaged = _name(error).startswith(DAMAGE)
        raise StoreError(
            f"The benchmark history {file} {'is damaged' if damaged else 'cannot be used'}: {error}.",
            "Start First Token again: it keeps the damaged file aside and begins a new one."
            if damaged
            else "Check the folder's permissions and free space. The results can still be exported.",
            detail=_name(error),
        ) from error


@contextmanager
def _files_translated(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The benchmark history {file} cannot be opened: {error.strerror or error}.",
            "Check the folder's permissions and free space. The results can still be exported.",
        ) from error
