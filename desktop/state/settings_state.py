"""The settings file, which the window shares with the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from runtime.config.settings import Settings, read_settings, write_settings
from runtime.values.errors import SettingsError


class SettingsState(QObject):
    """Knows what is in the settings file.

    Signals:
        changed: `settings` or `error` is new.
    """

    changed = Signal()

    def __init__(self, file: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._one_at_a_time = asyncio.Lock()
        self._under_way = 0
        self._stored = Settings()
        self.file = file
        self.settings = Settings()
        self.error: SettingsError | None = None

    async def load(self) -> None:
        """Read the file; if it cannot be used, `error` says why."""
        await self.change(None)

    async def change(self, update: Callable[[Settings], Settings] | None) -> None:
        """Apply `update` to what is in the file now, whoever wrote it, and write it back; None only reads.

        `settings` has the change at once, so that controls which show it never go back to what they showed before. A
        file that cannot be understood is left as it is, and `error` says why.
        """
        self._under_way += 1
        if update is not None:
            self._set(update(self.settings))
        async with self._one_at_a_time:
            try:
                self._stored = await asyncio.to_thread(_changed, self.file, update)
                self.error = None
            except SettingsError as error:
                self.error = error
            finally:
                self._under_way -= 1
        if not self._under_way:
            self._set(self._stored)

    def _set(self, settings: Settings) -> None:
        self.settings = settings
        self.changed.emit()


def _changed(file: Path, update: Callable[[Settings], Settings] | None) -> Settings:
    before = read_settings(file)
    if update is None:
        return before
    after = update(before)
    if after != before:
        write_settings(file, after)
    return after
