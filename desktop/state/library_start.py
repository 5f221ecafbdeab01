"""The way to the picker's states for an app that has just been started: nothing of them is made before it is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:
    from desktop.state.library_states import LibraryStates

QUIET_S = 2.0
"""After the start: time for the window to paint, and for the model to be loaded."""
QUEUE_FILE_NAME = "downloads.json"
DOWNLOADS_FOLDER = ".downloads"


class LibraryStart(QObject):
    """Makes the states once.

    Signals:
        made: they are there; carries them.
    """

    made = Signal(object)

    def __init__(
        self, make: Callable[[], LibraryStates], data: Path, models: Path, parent: QObject | None = None
    ) -> None:
        """Take how to make them, and the folders of the queue and the models."""
        super().__init__(parent)
        self._make = make
        self._queue_file = data / QUEUE_FILE_NAME
        self._partial = models / DOWNLOADS_FOLDER
        self._states: LibraryStates | None = None

    @property
    def states(self) -> LibraryStates:
        """Everything the picker knows."""
        if self._states is None:
            self._states = self._make()
            self.made.emit(self._states)
        return self._states

    async def go_on(self, quiet_s: float = QUIET_S) -> None:
        """Go on with the downloads that were under way when the app was closed.

        Raises:
            DownloadError: another First Token has the queue, or the disk refuses.
        """
        await asyncio.sleep(quiet_s)
        if await asyncio.to_thread(self._has_downloads):
            await self.states.downloads.go_on()

    def _has_downloads(self) -> bool:
        with suppress(OSError):
            if self._partial.is_dir() and any(self._partial.iterdir()):
                return True
        if not self._queue_file.exists():
            return False
        from runtime.download.queue_file import read_queue  # noqa: PLC0415 - off the window's thread

        return bool(read_queue(self._queue_file))

    async def close(self) -> None:
        """Stop what is under way; it goes on at the next start."""
        if self._states is not None:
            await self._states.close()
