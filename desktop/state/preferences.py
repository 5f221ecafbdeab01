"""What is remembered of the window between two starts, kept in the chat database."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.state.remembered import (
    PREFERENCES_NAME,
    WINDOW_NAME,
    Preferences,
    WindowMemory,
    memory_from,
    preferences_from,
)
from desktop.state.storage import Storage
from desktop.tasks import Tasks
from runtime.store.opening import OpenedStore


class PreferencesState(QObject):
    """Knows the preferences, and keeps what it is told.

    Signals:
        changed: carries the `Preferences`, which are others now.
    """

    changed = Signal(object)

    def __init__(self, storage: Storage[OpenedStore], tasks: Tasks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._storage = storage
        self._tasks = tasks
        self.preferences = Preferences()
        self.memory = WindowMemory()

    async def load(self) -> None:
        """Read what was kept; what is missing or cannot be understood takes the defaults.

        Raises:
            StoreError: the database cannot be used; everything has the defaults then.
        """
        looks, window = await self._storage.run(
            lambda opened: (opened.store.ui_state.get(PREFERENCES_NAME), opened.store.ui_state.get(WINDOW_NAME))
        )
        self.memory = memory_from(window or b"")
        self._show(preferences_from(looks or b""))

    def choose(self, preferences: Preferences) -> None:
        """Take other preferences: at once for the window, and for the next start."""
        self._show(preferences)
        self._tasks.start(self.save(), "save preferences")

    def remember(self, memory: WindowMemory) -> None:
        """Keep where the window is left."""
        if memory != self.memory:
            self.memory = memory
            self._tasks.start(self.save(), "save the window's place")

    async def save(self) -> None:
        """Write everything; to be awaited before the app ends.

        Raises:
            StoreError: it could not be written.
        """
        values = {
            PREFERENCES_NAME: msgspec.json.encode(self.preferences),
            WINDOW_NAME: msgspec.json.encode(self.memory),
        }
        await self._storage.run(lambda opened: opened.store.ui_state.set(values))

    def _show(self, preferences: Preferences) -> None:
        if preferences != self.preferences:
            self.preferences = preferences
            self.changed.emit(preferences)
