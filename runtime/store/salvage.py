"""Copying what can still be read from a damaged database into a healthy one of the same schema version.

Best effort, row by row: each table is read from its first row up to the first unreadable page, then from its last row
down, then by single ids in between. What lost its parent is kept: messages of a lost chat get a new one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress

TABLES = ("chats", "messages", "choices", "reply_chunks", "token_times", "presets", "ui_state")
MAX_SINGLE_LOOKUPS = 200_000
RECOVERED_TITLE = "Recovered chat"
SourceRow = tuple[object, ...]


def copy_readable_rows(source: sqlite3.Connection, target: sqlite3.Connection, now_unix_ms: int) -> tuple[int, int]:
    """Copy every readable row from `source` to the empty tables of `target`; return how many chats and messages.

    Raises:
        sqlite3.Error: `target` cannot be written.
    """
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
    columns = [name for (name,) in target.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()]
    places = ", ".join("?" * len(columns))
    # Table and column names come from our own schema.
    insertion = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608
    for row in _readable_rows(source, f"SELECT rowid, {', '.join(columns)} FROM {table}"):  # noqa: S608
        try:
            target.execute(insertion, row[1:])
        except sqlite3.IntegrityError:
            continue  # a value of the wrong type, or none where there must be one


def _readable_rows(source: sqlite3.Connection, selection: str) -> Iterator[SourceRow]:
    low = 0
    for row in _rows_until_damage(source, f"{selection} WHERE rowid > 0 ORDER BY rowid"):
        low = _rowid(row)
        yield row
    high = None
    for row in _rows_until_damage(source, f"{selection} WHERE rowid > {low} ORDER BY rowid DESC"):
        high = _rowid(row)
        yield row
    end = low + MAX_SINGLE_LOOKUPS if high is None else high
    if high is None and not _has_more(source, selection, low):
        return
    for rowid in range(low + 1, min(end, low + MAX_SINGLE_LOOKUPS)):
        yield from _rows_until_damage(source, f"{selection} WHERE rowid = {rowid}")


def _has_more(source: sqlite3.Connection, selection: str, low: int) -> bool:
    """Return whether rows above `low` exist or may exist, the table being damaged there."""
    try:
        return source.execute(f"{selection} WHERE rowid > {low} LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return True


def _rows_until_damage(source: sqlite3.Connection, query: str) -> Iterator[SourceRow]:
    with suppress(sqlite3.Error):
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
    target.execute("DELETE FROM reply_chunks WHERE message_id NOT IN (SELECT id FROM messages)")
    target.execute("DELETE FROM token_times WHERE message_id NOT IN (SELECT id FROM messages)")
