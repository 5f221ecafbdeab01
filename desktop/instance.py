"""One window for each home: a second start hands over what it was asked to open, and ends.

The first holds a lock file and watches a folder; the second writes a file into it and waits until that is taken. Both
lie in the app's own data folder, which no other user can write to.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from PySide6.QtCore import QFileSystemWatcher, QLockFile, QObject

LOCK_FILE, REQUESTS_FOLDER = "window.lock", "open-requests"
PATIENCE_S = 20.0
LOOK_S = 0.02
MOST_BYTES = 10_000


class Instance:
    """This start of the app, first or not."""

    def __init__(self, data: Path) -> None:
        self._requests = data / REQUESTS_FOLDER
        self._lock = QLockFile(str(data / LOCK_FILE))
        self._lock.setStaleLockTime(0)  # only the end of its process makes a lock stale
        self.is_first = self._take_lock()

    def _take_lock(self) -> bool:
        """Return False only where another window holds the lock; a folder that cannot be written to holds nobody up."""
        with suppress(OSError):
            self._requests.mkdir(parents=True, exist_ok=True)
        if not self._lock.tryLock(0):
            return self._lock.error() is not QLockFile.LockError.LockFailedError
        for left in self._files():  # by a start whose window is gone
            left.unlink(missing_ok=True)
        return True

    def hand_over(self, wanted: str, patience_s: float = PATIENCE_S) -> bool:
        """Ask the first window to come to the front and open `wanted`; return whether it took that in time."""
        request = self._requests / f"{time.time_ns()}-{uuid4().hex}"
        draft = request.with_suffix(".part")
        try:
            draft.write_text(wanted, encoding="utf-8", errors="surrogateescape")
            draft.rename(request)
        except OSError:
            return False
        deadline = time.monotonic() + patience_s
        while request.exists():
            if time.monotonic() > deadline:
                request.unlink(missing_ok=True)
                return False
            time.sleep(LOOK_S)
        return True

    def listen(self, take: Callable[[str], None], parent: QObject) -> None:
        """Call `take` with what other starts are asked to open, as long as `parent` lives."""

        def look() -> None:
            for request in self._files():
                with suppress(OSError):
                    wanted = request.read_bytes()[:MOST_BYTES].decode("utf-8", "surrogateescape")
                    request.unlink()
                    take(wanted)

        watcher = QFileSystemWatcher(parent)
        if self._requests.is_dir() and watcher.addPath(str(self._requests)):
            watcher.directoryChanged.connect(look)
            look()

    def _files(self) -> list[Path]:
        try:
            return sorted(file for file in self._requests.iterdir() if not file.suffix)
        except OSError:
            return []
