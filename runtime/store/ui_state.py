"""What a window remembers between sessions (geometry, panels, the last chat): bytes under a name."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from runtime.store.database import Database


class UiState:
    """Named bytes. Every call may raise `StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> bytes | None:
        """Return what was kept under a name, or None."""
        rows = self._database.rows(tuple[bytes], "SELECT value FROM ui_state WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def set(self, values: Mapping[str, bytes]) -> None:
        """Keep values under their names, all of them or none."""
        with self._database.transaction():
            for name, value in values.items():
                self._database.write("INSERT OR REPLACE INTO ui_state (name, value) VALUES (?, ?)", (name, value))

    def remove(self, name: str) -> None:
        """Forget a name; one that is not there is no error."""
        with self._database.transaction():
            self._database.write("DELETE FROM ui_state WHERE name = ?", (name,))


def peek(file: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Return what was kept under `names`, read without opening the store; nothing where that is not to be had at once.

    For what has to be known before anything else, such as where the window was. Never waits, never writes.
    """
    marks = ", ".join("?" * len(names))
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as connection:
            rows = connection.execute(f"SELECT name, value FROM ui_state WHERE name IN ({marks})", names)  # noqa: S608 - marks only
            return {name: value for name, value in rows if isinstance(name, str) and isinstance(value, bytes)}
    except sqlite3.Error:
        return {}
