"""How the user likes the window to look, and where it was left; kept in the chat database."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.state.storage import Storage
from desktop.tasks import Tasks
from desktop.theme.colors import Appearance
from desktop.theme.fonts import MAX_SCALE, MIN_SCALE, SCALE_STEP
from runtime.store.opening import OpenedStore
from runtime.values.chat import ChatId

PREFERENCES_NAME = "preferences"
WINDOW_NAME = "window"
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """What the user chose.

    Attributes:
        appearance: light, dark, high contrast, or as the system has it.
        text_scale: times the usual size of text, from `MIN_SCALE` to `MAX_SCALE`.
        reduced_motion: whether nothing should move by itself.
    """

    appearance: Appearance = Appearance.SYSTEM
    text_scale: float = 1.0
    reduced_motion: bool = False

    def with_larger_text(self, steps: int = 1) -> Preferences:
        """Return these with text `steps` steps larger (smaller, if negative), as far as there is any."""
        return msgspec.structs.replace(self, text_scale=_within_bounds(self.text_scale + steps * SCALE_STEP))

    def with_usual_text(self) -> Preferences:
        """Return these with text of the usual size."""
        return msgspec.structs.replace(self, text_scale=1.0)


class WindowMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Where the window was left.

    Attributes:
        geometry: place and size of the window, in Qt's own form.
        layout: sizes of the panels and which were shown.
        chat_id: the chat that was open; None for a new one.
        model_name: the model that was chosen last; None before the first.
        new_draft: what was written and not sent where there was no chat yet to keep it.
    """

    geometry: bytes = b""
    layout: bytes = b""
    chat_id: ChatId | None = None
    model_name: str | None = None
    new_draft: str = ""


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
        self.memory = _memory_from(window or b"")
        self._show(_preferences_from(looks or b""))

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


def _within_bounds(scale: float) -> float:
    return round(min(MAX_SCALE, max(MIN_SCALE, scale)), 2)


def _preferences_from(content: bytes) -> Preferences:
    try:
        read = msgspec.json.decode(content, type=Preferences)
    except UNREADABLE:
        return Preferences()
    return msgspec.structs.replace(read, text_scale=_within_bounds(read.text_scale))


def _memory_from(content: bytes) -> WindowMemory:
    try:
        return msgspec.json.decode(content, type=WindowMemory)
    except UNREADABLE:
        return WindowMemory()
