"""Copying what can still be read from a damaged database into a healthy one of the same schema version.

Best effort, on a copy of the file, row by row: each table is read from its first row up to the first unreadable page,
then from its last row down, then by single ids in between. What lost its parent is kept: messages of a lost chat get a
new one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from runtime.store import failures
from runtime.store.database import DAMAGE_NOTE, plain_connection

TABLES = ("chats", "messages", "choices", "reply_chunks", "token_times", "presets", "ui_state")
MAX_SINGLE_LOOKUPS = 200_000
GUESSED_SPAN = 20_000
PYTHON_TYPES: dict[str, type[int | float | str | bytes]] = {"INTEGER": int, "REAL": float, "TEXT": str, "BLOB": bytes}
ALLOWED: dict[str, tuple[int | str, ...]] = {
    "role": ("assistant", "user"),
    "state": ("interrupted", "streaming", "complete", "stopped", "failed"),
    "kind": ("answer", "reasoning"),
    "title_is_automatic": (0, 1),
    "is_pinned": (0, 1),
}
RECOVERED_TITLE = "Recovered chat"
TOLERANT = "PRAGMA writable_schema = ON"  # go on where the schema or the file's length is not as it should be
SourceRow = tuple[object, ...]


def readable_version(source: sqlite3.Connection) -> int:
    """Return the schema version a damaged file says it has; 0 if it cannot be read."""
    try:
        source.execute(TOLERANT)
        (version,) = source.execute("PRAGMA user_version").fetchone()
    except failures.UNREADABLE:
        return 0
    return int(version)


def mend_schema(copy: Path, model: sqlite3.Connection) -> None:
    """Write the definitions of `model`'s tables over those in the copy that damage has made unreadable.

    Where even that fails, the tables concerned stay unreadable.
    """
    with suppress(*failures.UNREADABLE), closing(plain_connection(str(copy))) as source:
        source.execute(TOLERANT)
        source.execute("DELETE FROM sqlite_master WHERE type <> 'table' AND name NOT LIKE 'sqlite_autoindex%'")
        for table in TABLES:
            expected = _columns(model, table)
            found = _columns(source, table)
            if found != expected and len(found) in {0, len(expected)}:
                (sql,) = model.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
                source.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, table))


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    try:
        return [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()]
    except failures.UNREADABLE:
        return []


def copy_readable_rows(source: sqlite3.Connection, target: sqlite3.Connection, now_unix_ms: int) -> tuple[int, int]:
    """Copy every readable row from `source` to the empty tables of `target`; return how many chats and messages.

    Raises:
        sqlite3.Error: `target` cannot be written.
    """
    source.execute(TOLERANT)
    target.execute("PRAGMA foreign_keys = OFF")
    target.execute("BEGIN IMMEDIATE")
    for table in TABLES:
        _copy_table(source, target, table)
    _mend(target, now_unix_ms)
    (chats,) = target.execute("SELECT count(*) FROM chats").fetchone()
    (messages,) = target.execute("SELECT count(*) FROM messages").fetchone()
    target.execute("COMMIT")
    return int(chats), int(messages)


def _copy_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> None:
    columns = _columns(target, table)
    if _columns(source, table) != columns:
        return
    places = ", ".join("?" * len(columns))
    # Table and column names come from our own schema.
    insertion = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608
    for row in _readable_rows(source, f"SELECT rowid, {', '.join(columns)} FROM {table}"):  # noqa: S608
        try:
            target.execute(insertion, row[1:])
        except sqlite3.IntegrityError:
            _insert_mended(target, table, insertion, row[1:])


def _insert_mended(target: sqlite3.Connection, table: str, insertion: str, row: SourceRow) -> None:
    """Insert a row with something plausible in place of each value that its column cannot hold."""
    types = target.execute('SELECT name, type, "notnull" FROM pragma_table_info(?)', (table,)).fetchall()
    values = [
        _plausible(value, str(name), str(kind), is_required=bool(required))
        for value, (name, kind, required) in zip(row, types, strict=True)
    ]
    with suppress(sqlite3.IntegrityError):
        target.execute(insertion, values)


def _plausible(value: object, name: str, kind: str, *, is_required: bool) -> object:
    allowed = ALLOWED.get(name)
    if allowed is not None:
        return value if value in allowed else allowed[0]
    if isinstance(value, PYTHON_TYPES[kind]) or (value is None and not is_required):
        return value
    return PYTHON_TYPES[kind]() if is_required else None


def _readable_rows(source: sqlite3.Connection, selection: str) -> Iterator[SourceRow]:
    low = 0
    for row in _rows_until_damage(source, f"{selection} WHERE rowid > 0 ORDER BY rowid"):
        low = _rowid(row)
        yield row
    high = None
    for row in _rows_until_damage(source, f"{selection} WHERE rowid > {low} ORDER BY rowid DESC"):
        high = _rowid(row)
        yield row
    if high is None and not _has_more(source, selection, low):
        return
    end = low + _span(source) if high is None else high
    for rowid in range(low + 1, min(end, low + MAX_SINGLE_LOOKUPS)):
        yield from _rows_until_damage(source, f"{selection} WHERE rowid = {rowid}")


def _span(source: sqlite3.Connection) -> int:
    """Return how many ids to try where the end of a table cannot be read: as many as were ever given out."""
    try:
        (highest,) = source.execute("SELECT max(seq) FROM sqlite_sequence").fetchone()
    except failures.UNREADABLE:
        highest = None
    return highest + 1 if isinstance(highest, int) else GUESSED_SPAN


def _has_more(source: sqlite3.Connection, selection: str, low: int) -> bool:
    """Return whether rows above `low` exist or may exist, the table being damaged there."""
    try:
        return source.execute(f"{selection} WHERE rowid > {low} LIMIT 1").fetchone() is not None
    except failures.UNREADABLE:
        return True


def _rows_until_damage(source: sqlite3.Connection, query: str) -> Iterator[SourceRow]:
    with suppress(*failures.UNREADABLE):
        yield from source.execute(query)


def _rowid(row: SourceRow) -> int:
    rowid = row[0]
    if not isinstance(rowid, int):
        raise TypeError(f"row id {rowid!r}")
    return rowid


def _mend(target: sqlite3.Connection, now_unix_ms: int) -> None:
    """Restore what the schema promises: every message has a chat and a parent in it, everything else an owner."""
    target.execute(
        "INSERT INTO chats (id, title, title_is_automatic, is_pinned, created_unix_ms, updated_unix_ms, sampling,"
        " system_prompt, draft) SELECT chat_id, ?, 1, 0, min(created_unix_ms), ?, '{}', '', '' FROM messages"
        " WHERE chat_id NOT IN (SELECT id FROM chats) GROUP BY chat_id",
        (RECOVERED_TITLE, now_unix_ms),
    )
    target.execute(
        "UPDATE messages SET parent_id = NULL WHERE parent_id IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM messages AS parent WHERE parent.id = messages.parent_id AND parent.id < messages.id"
        " AND parent.chat_id = messages.chat_id)"
    )
    target.execute(
        "DELETE FROM choices WHERE chat_id NOT IN (SELECT id FROM chats) OR child_id NOT IN (SELECT id FROM messages)"
    )
    target.execute("DELETE FROM ui_state WHERE name = ?", (DAMAGE_NOTE,))
    target.execute("DELETE FROM reply_chunks WHERE message_id NOT IN (SELECT id FROM messages)")
    target.execute("DELETE FROM token_times WHERE message_id NOT IN (SELECT id FROM messages)")
