"""Stop work that has gone beyond its bounds and does not look at them itself.

An exception is raised in the working thread from a second one. Python delivers it between two bytecodes, so a single
long call into C is not stopped, only what comes after it.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from threading import Lock, Thread, get_ident
from typing import TypeVar

Result = TypeVar("Result")

POLL_SECONDS = 0.05
REPEAT_SECONDS = 1.0


class Interrupted(BaseException):
    """The work was stopped. Not an `Exception`, so that the work does not take it for an error of its own."""


class Interruptible:
    """One piece of work that is interrupted once `exceeded` returns True; `exceeded` runs in another thread."""

    def __init__(self, exceeded: Callable[[], bool], poll_seconds: float = POLL_SECONDS) -> None:
        self._exceeded = exceeded
        self._poll_seconds = poll_seconds
        self._over = False
        self._collects_garbage = gc.isenabled()
        self._running = Lock()

    def run(self, work: Callable[[], Result]) -> Result:
        """Do `work` and return what it returns. Once this returns or raises, no exception is under way any more.

        Raises:
            Interrupted: `exceeded` became true before `work` was done.
        """
        thread_id = get_ident()
        self._running.acquire()
        # An exception that arrives while the garbage collector runs a finalizer or a callback is lost.
        gc.disable()
        watcher = Thread(target=self._watch, args=(thread_id,), name="interruption", daemon=True)
        try:
            try:
                watcher.start()
                return work()
            finally:
                self._retire(watcher, thread_id)
        except Interrupted:
            # It may have hit `_retire` itself. A second one cannot come at once: after one has been sent, the next is
            # REPEAT_SECONDS away, and none is sent once `_over` is set.
            self._retire(watcher, thread_id)
            raise

    def _retire(self, watcher: Thread, thread_id: int) -> None:
        """End the watcher and take back the exception it may have sent last. May be called again."""
        self._over = True
        if self._collects_garbage:
            gc.enable()
        if self._running.locked():
            self._running.release()
        if watcher.ident is not None:
            watcher.join()
        _send(thread_id, None)

    def _watch(self, thread_id: int) -> None:
        pause = self._poll_seconds
        while not self._running.acquire(timeout=pause) and not self._over:
            if self._exceeded() and not self._over:
                _send(thread_id, Interrupted)
                # Once is enough, unless it went down in a place that swallows exceptions (a finalizer).
                pause = REPEAT_SECONDS


def _send(thread_id: int, exception: type[BaseException] | None) -> None:
    """Set the exception that the thread raises next, or take back the one that is set."""
    value = None if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), value)
