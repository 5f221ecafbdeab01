"""The only door to background work: owns every coroutine, reports its failure, cancels it when the window closes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

from PySide6.QtCore import QObject, Signal

from runtime.values.errors import FirstTokenError, InternalError

log = logging.getLogger("first-token")


class Tasks(QObject):
    """Runs coroutines on the window's loop.

    Signals:
        failed: a task ended in an error; carries the `FirstTokenError`. Anything else that was raised is a bug and
            arrives as an `InternalError`, with the whole traceback in the log.
    """

    failed = Signal(object)

    def __init__(self, loop: asyncio.AbstractEventLoop, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._loop = loop
        self._running: set[asyncio.Task[None]] = set()

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs."""
        return not self._running

    @property
    def names(self) -> list[str]:
        """What runs."""
        return sorted(task.get_name() for task in self._running)

    def start(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """Start `work`; `name` is for the log."""
        task = self._loop.create_task(self._guard(work, name), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def close(self) -> None:
        """Cancel what runs and wait for it."""
        current = asyncio.current_task()
        running = [task for task in self._running if task is not current]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _guard(self, work: Coroutine[object, object, None], name: str) -> None:
        try:
            await work
        except FirstTokenError as error:
            log.exception("%s failed", name)
            self.failed.emit(error)
        except Exception as error:
            log.exception("a bug in %s", name)
            self.failed.emit(InternalError(f"{type(error).__name__}: {error}", detail=name))
