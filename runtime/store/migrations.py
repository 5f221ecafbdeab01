"""The numbered steps from an empty database to today's schema. A step, once released, never changes.

To change the schema: add a `migration_NNNN` module, list it in `STEPS`, and extend the tests that start from the files
of every earlier version. `PRAGMA user_version` holds the number of steps a file has taken.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from runtime.store import migration_0001, migration_0002
from runtime.store.database import APPLICATION_ID

STEPS = (migration_0001.SQL, migration_0002.SQL)
LATEST_VERSION = len(STEPS)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the number of steps the database has taken."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def migrate(connection: sqlite3.Connection, steps: Sequence[str] = STEPS) -> None:
    """Take the steps the database has not taken, all of them or none. Safe when two processes try at once.

    Raises:
        sqlite3.Error: a step failed; the database is as it was.
    """
    if version_of(connection) >= len(steps):
        return
    connection.execute("BEGIN EXCLUSIVE")
    try:
        for sql in steps[version_of(connection) :]:
            for statement in statements(sql):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def statements(sql: str) -> list[str]:
    """Split a script into statements: `executescript` would commit the transaction that guards the steps."""
    found: list[str] = []
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    if pending.strip():
        raise ValueError(f"unfinished statement: {pending.strip()}")
    return found
