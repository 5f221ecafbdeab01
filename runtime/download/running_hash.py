"""A hash that grows beside the thread that feeds it: on a fast line, hashing would take as long as fetching.

Data comes into buffers that are used again and again: fresh ones for each piece cost a third more time, most of it
spent by the system on handing out empty pages.
"""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import Protocol

BUFFER_BYTES = 1 << 18
MOST_BUFFERS = 16


class Hash(Protocol):
    """What `hashlib` makes."""

    def update(self, data: memoryview, /) -> None:
        """Take more in."""

    def hexdigest(self) -> str:
        """Return the hash of all so far."""


class RunningHash:
    """`target`, fed by a thread of its own with buffers as they are full. What fits in one needs no thread."""

    def __init__(self, target: Hash) -> None:
        self._target = target
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._filled = 0
        self._buffers = 1
        self._idle: SimpleQueue[memoryview] = SimpleQueue()
        self._full: SimpleQueue[memoryview | threading.Event | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def space(self) -> memoryview:
        """Return where the next bytes are to be put; never empty."""
        return self._buffer[self._filled :]

    def take(self, count: int) -> None:
        """Take in the first `count` bytes of `space`."""
        self._filled += count
        if self._filled == BUFFER_BYTES:
            self._hand_over()

    def hexdigest(self) -> str:
        """Return the hash of all so far."""
        if self._thread is not None:
            is_through = threading.Event()
            self._full.put(is_through)
            is_through.wait()
        self._target.update(self._buffer[: self._filled])
        self._filled = 0
        return self._target.hexdigest()

    def close(self) -> None:
        """End the thread. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._full.put(None)
            thread.join()

    def _hand_over(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="hash")
            self._thread.start()
        self._full.put(self._buffer)
        self._buffer = self._next_buffer()
        self._filled = 0

    def _next_buffer(self) -> memoryview:
        try:
            return self._idle.get_nowait()
        except Empty:
            if self._buffers == MOST_BUFFERS:
                return self._idle.get()
        self._buffers += 1
        return memoryview(bytearray(BUFFER_BYTES))

    def _work(self) -> None:
        while (item := self._full.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
            else:
                self._target.update(item)
                self._idle.put(item)
