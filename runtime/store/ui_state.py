"""What a window remembers between sessions (geometry, panels, the last chat): bytes under a name."""

from __future__ import annotations

from collections.abc import Mapping

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
