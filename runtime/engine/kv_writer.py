"""Writing KV caches to disk while nothing is asked, in a thread of its own.

Writing begins some seconds after the last reply, and stops as soon as a request comes. What holds up the engine and
cannot be stopped waits longer for its turn: nobody who has read that long asks in just that second, as good as ever.
What was stopped is written after the next reply, together with what came since.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event, Thread
from time import monotonic

from runtime.kv_store.store import KvContent, KvStore

FLUSH_S = 1.5
PATIENCE = 8
"""What blocks the engine is written after an idle time of so many times its duration."""


class KvWriter:
    """Writes into one store; used from the engine's thread.

    Args:
        store: where to; no one else may use this object.
        idle_s: how long nothing must have been asked before writing begins.
    """

    def __init__(self, store: KvStore, idle_s: float) -> None:
        self._store = store
        self._idle_s = idle_s
        self._job: _WritingJob | None = None

    def write_soon(self, contents: Sequence[KvContent]) -> None:
        """Write `contents`, the first one first, if nothing is asked for a while; what was waiting is not written."""
        self.pause()
        if contents:
            blocking_s = max(content.payload.blocking_s for content in contents)
            self._job = _WritingJob(self._store, list(contents), max(self._idle_s, PATIENCE * blocking_s))

    def pause(self) -> None:
        """Stop writing; does not wait."""
        if self._job is not None:
            self._job.stop()

    def halt(self) -> None:
        """Stop writing, and wait until nothing more comes to the disk."""
        self.pause()
        if self._job is not None:
            self._job.join()
        self._job = None

    def flush(self, limit_s: float = FLUSH_S) -> None:
        """Write what is waiting now, as far as the time suffices."""
        if self._job is not None:
            self._job.hurry(limit_s)
        self.pause()


class _WritingJob:
    def __init__(self, store: KvStore, waiting: list[KvContent], idle_s: float) -> None:
        self._store = store
        self._waiting = waiting
        self._idle_s = idle_s
        self._deadline_s = float("inf")
        self._begin = Event()
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="kv-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Have it end as soon as it can."""
        self._stopped.set()
        self._begin.set()

    def join(self) -> None:
        """Wait for the end; it comes with the piece that is being written."""
        self._thread.join()

    def hurry(self, limit_s: float) -> None:
        """Begin now, and wait for the end, at most `limit_s`; what would block for longer is left out."""
        self._deadline_s = monotonic() + limit_s
        self._begin.set()
        self._thread.join(limit_s)

    def _run(self) -> None:
        self._begin.wait(self._idle_s)
        # Each is let go as soon as it is written: what is held here, the engine has to copy before it changes it.
        while self._waiting and not self._stopped.is_set():
            self._write(self._waiting.pop(0))
        self._waiting.clear()

    def _write(self, content: KvContent) -> None:
        if monotonic() + content.payload.blocking_s < self._deadline_s:
            self._store.write(content, self._stopped.is_set)
