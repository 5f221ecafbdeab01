"""The chat store on a thread of its own, async from the outside: the disk never holds up the window."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Opened = TypeVar("Opened")
T = TypeVar("T")


class Storage(Generic[Opened]):
    """Runs functions of the store, one after the other, on the thread that opened it."""

    def __init__(self, open_store: Callable[[], Opened]) -> None:
        self._open_store = open_store
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._store: Opened | None = None

    async def run(self, work: Callable[[Opened], T]) -> T:
        """Return what `work` makes of the store; the first call opens it.

        Raises:
            StoreError: whatever the store raises.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(self._opened()))

    async def close(self, close_store: Callable[[Opened], None]) -> None:
        """Finish what is queued and close the store."""

        def close() -> None:
            if self._store is not None:
                close_store(self._store)

        await asyncio.get_running_loop().run_in_executor(self._thread, close)
        self._thread.shutdown(wait=True)

    def _opened(self) -> Opened:
        if self._store is None:
            self._store = self._open_store()
        return self._store
