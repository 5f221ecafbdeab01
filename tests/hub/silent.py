"""Servers that never say a word: one lets nobody in, the other lets everybody in."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

LET_IN_S = 0.3
MOST_WAITING = 64


@contextmanager
def mute_server() -> Iterator[int]:
    """Yield the port of a server that lets connections in and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=MOST_WAITING) as server:
        yield server.getsockname()[1]


@contextmanager
def full_server() -> Iterator[int]:
    """Yield the port of a server whose queue is full: whoever connects gets no answer at all (not on Windows)."""
    with ExitStack() as held:
        server = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port: int = server.getsockname()[1]
        with suppress(TimeoutError):
            for _ in range(MOST_WAITING):
                held.enter_context(socket.create_connection(("127.0.0.1", port), LET_IN_S))
            raise AssertionError("the queue never fills up")
        yield port
