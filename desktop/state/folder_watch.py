"""Being told when a folder changes, as far as the system tells; nothing is looked at at intervals.

Systems give out few watches (Linux: 128 to a user). Where none is left Qt would look at the folder every second, which
wakes an unused window: then it is not watched.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, Signal

POLLING = "QPollingFileSystemWatcherEngine"


class FolderWatch(QObject):
    """Watches one folder at a time.

    Signals:
        changed: something was made in it, renamed or removed.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._watcher: QFileSystemWatcher | None = None
        self._folder: Path | None = None

    @property
    def is_watching(self) -> bool:
        """Whether the system tells of changes."""
        return self._watcher is not None

    def watch(self, folder: Path) -> None:
        """Watch this folder from now on instead of another; one that cannot be watched is not."""
        if folder == self._folder:
            return
        self.stop()
        self._folder = folder
        watcher = QFileSystemWatcher([str(folder)], self)
        if not watcher.directories() or _polls(watcher):
            watcher.deleteLater()
            return
        watcher.directoryChanged.connect(self.changed)
        self._watcher = watcher

    def stop(self) -> None:
        """Give the watch back. Idempotent."""
        watcher, self._watcher, self._folder = self._watcher, None, None
        if watcher is not None:
            watcher.deleteLater()


def _polls(watcher: QFileSystemWatcher) -> bool:
    return any(engine.metaObject().className() == POLLING for engine in watcher.children())
