"""What is remembered of the window between two starts, as values: how the user likes it, and where it was left."""

from __future__ import annotations

import msgspec

from desktop.theme.colors import Appearance
from desktop.theme.fonts import MAX_SCALE, MIN_SCALE, SCALE_STEP
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
        welcomed: whether the welcome of the first start has been shown.
    """

    appearance: Appearance = Appearance.SYSTEM
    text_scale: float = 1.0
    reduced_motion: bool = False
    welcomed: bool = False

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


def _within_bounds(scale: float) -> float:
    return round(min(MAX_SCALE, max(MIN_SCALE, scale)), 2)


def preferences_from(content: bytes) -> Preferences:
    """Return what was kept under `PREFERENCES_NAME`; the defaults where it cannot be understood."""
    try:
        read = msgspec.json.decode(content, type=Preferences)
    except UNREADABLE:
        return Preferences()
    return msgspec.structs.replace(read, text_scale=_within_bounds(read.text_scale))


def memory_from(content: bytes) -> WindowMemory:
    """Return what was kept under `WINDOW_NAME`; the defaults where it cannot be understood."""
    try:
        return msgspec.json.decode(content, type=WindowMemory)
    except UNREADABLE:
        return WindowMemory()
