"""A hash that grows beside the thread that feeds it: on a fast line, hashing would take as long as fetching."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

BATCH_BYTES = 1 << 20
MOST_BATCHES = 16


class Hash(Protocol):
    """What `hashlib` makes."""

    def update(self, data: bytes, /) -> None:
        """Take more in."""

    def hexdigest(self) -> str:
        """Return the hash of all so far."""


class RunningHash:
    """`target`, fed in batches by a thread of its own; at most 16 MB wait for it. What is short is hashed at once."""

    def __init__(self, target: Hash) -> None:
        self._target = target
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._batches: deque[Future[None]] = deque()
        self._pool: ThreadPoolExecutor | None = None

    def update(self, data: bytes) -> None:
        """Take more in; `data` must not change any more."""
        self._gathered.append(data)
        self._gathered_bytes += len(data)
        if self._gathered_bytes >= BATCH_BYTES:
            self._hand_over()

    def hexdigest(self) -> str:
        """Return the hash of all so far."""
        while self._batches:
            self._batches.popleft().result()
        self._take_in(self._gathered)
        self._gathered, self._gathered_bytes = [], 0
        return self._target.hexdigest()

    def close(self) -> None:
        """End the thread. Idempotent."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _hand_over(self) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="hash")
        if len(self._batches) >= MOST_BATCHES:
            self._batches.popleft().result()
        self._batches.append(self._pool.submit(self._take_in, self._gathered))
        self._gathered, self._gathered_bytes = [], 0

    def _take_in(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self._target.update(piece)
