"""Telling a healthy database file from a damaged, a foreign and a newer one; and replacing one that is damaged."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile, rmtree

from runtime.store import failures, migrations, salvage
from runtime.store.database import APPLICATION_ID, DAMAGE_NOTE, plain_connection, read_only_connection
from runtime.values.errors import StoreError

COMPANIONS = ("", "-wal", "-shm", "-journal")
HEALTHY = "ok"
INDEX_VERDICT = re.compile("inverted index for FTS5")  # newer SQLite checks it, too; it is mended when it is used
Shape = set[tuple[str, ...]]


def damage_of(file: Path) -> str | None:
    """Return what is wrong with the database at `file`; None if it is healthy, or not there at all. Never changes it.

    Reads the whole file: about 1 ms for a megabyte.

    Raises:
        StoreError: the file comes from a newer version of the app, or cannot be read.
    """
    with failures.files_translated(file):
        log = file.with_name(file.name + "-wal")
        if not file.exists():
            return "the file is gone, its write-ahead log is not" if _size(log) else None
        if not _size(file):
            return "the file is empty"
    try:
        with closing(read_only_connection(file)) as connection:
            return _flaw(connection, file)
    except sqlite3.Error as error:
        if failures.comes_from_surroundings(error):
            raise failures.translation(error, file) from error
        return str(error)
    except UnicodeDecodeError as error:
        return f"its schema is unreadable: {error}"


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _flaw(connection: sqlite3.Connection, file: Path) -> str | None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    version = migrations.version_of(connection)
    if application != APPLICATION_ID or version < 1:
        return "the file was not made by First Token"
    if version > migrations.LATEST_VERSION:
        raise StoreError(
            f"The chats in {file} were written by a newer version of First Token.",
            "Update First Token, or move the file away to start without these chats.",
        )
    for (verdict,) in connection.execute("PRAGMA integrity_check").fetchall():
        if verdict != HEALTHY and not INDEX_VERDICT.search(verdict):
            return str(verdict)
    with closing(plain_connection(":memory:")) as model:
        migrations.migrate(model, migrations.STEPS[:version])
        missing = sorted(_shape(model) - _shape(connection))
    if missing:
        return f"its schema lacks {' '.join(missing[0])}"
    notes = connection.execute("SELECT value FROM ui_state WHERE name = ?", (DAMAGE_NOTE,)).fetchall()
    return str(notes[0][0], "utf-8", "replace") if notes else None


def _shape(connection: sqlite3.Connection) -> Shape:
    """Return names and columns of all tables and views, and the text of all triggers; not what SQLite adds itself."""
    found: Shape = set()
    for kind, name, sql in connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_*' AND name NOT GLOB 'message_index_*'"
    ).fetchall():
        if kind == "trigger":
            found.add((kind, name, sql))
        elif kind in {"table", "view"}:
            columns = connection.execute("SELECT name FROM pragma_table_info(?)", (name,)).fetchall()
            found.add((kind, name, *(column for (column,) in columns)))
        else:
            found.add((kind, name))
    return found


def keep_aside(file: Path, now_unix_ms: int) -> Path:
    """Rename the database at `file`, log and all, and return its new path.

    Raises:
        StoreError: it cannot be renamed.
    """
    with failures.files_translated(file):
        target = next(path for path in _names_aside(file, now_unix_ms) if not any(_with_companions(path)))
        for suffix in COMPANIONS:
            source = file.with_name(file.name + suffix)
            if source.exists():
                source.rename(target.with_name(target.name + suffix))
    return target


def _with_companions(file: Path) -> Iterator[Path]:
    for suffix in COMPANIONS:
        path = file.with_name(file.name + suffix)
        if path.exists():
            yield path


def _names_aside(file: Path, now_unix_ms: int) -> Iterator[Path]:
    stamp = datetime.fromtimestamp(now_unix_ms / 1000, UTC).strftime("%Y%m%d-%H%M%S")
    yield file.with_name(f"{file.stem}.corrupt-{stamp}{file.suffix}")
    for number in range(2, 1000):
        yield file.with_name(f"{file.stem}.corrupt-{stamp}-{number}{file.suffix}")


def replacement_for(file: Path, now_unix_ms: int) -> tuple[Path, int, int]:
    """Make a healthy database beside `file`, with what can be read from what is at `file`.

    Returns:
        The new database's path, and how many chats and messages were salvaged.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    fresh, workshop = file.with_name(file.name + ".new"), file.with_name(file.name + ".salvage")
    with failures.files_translated(file), failures.translated(fresh):
        _clear(fresh, workshop)  # what a process left that was killed here
        workshop.mkdir()
        with closing(plain_connection(str(fresh))) as target:
            chats, messages = _salvaged(_copied(file, workshop), target, now_unix_ms)
            migrations.migrate(target)
        rmtree(workshop)
    return fresh, chats, messages


def _clear(fresh: Path, workshop: Path) -> None:
    for leftover in _with_companions(fresh):
        leftover.unlink()
    if workshop.exists():
        rmtree(workshop)


def _copied(file: Path, folder: Path) -> Path:
    """Copy the database, for reading a damaged one may change it; the shared-memory file is made anew."""
    copy = folder / "copy.sqlite3"
    for suffix in ("", "-wal"):
        source = file.with_name(file.name + suffix)
        if source.exists():
            copyfile(source, copy.with_name(copy.name + suffix))
    return copy


def _salvaged(copy: Path, target: sqlite3.Connection, now_unix_ms: int) -> tuple[int, int]:
    with closing(plain_connection(str(copy))) as source:
        version = salvage.readable_version(source) if _size(copy) else 0
    if not 1 <= version <= migrations.LATEST_VERSION:
        return 0, 0
    migrations.migrate(target, migrations.STEPS[:version])
    salvage.mend_schema(copy, target)
    with closing(plain_connection(str(copy))) as source:
        return salvage.copy_readable_rows(source, target, now_unix_ms)
