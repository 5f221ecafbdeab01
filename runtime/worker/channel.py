"""Framing: messages to lines and back, and the pipe ends of the worker process.

Native libraries print to stdout. So the worker takes its pipe away before any of them loads: the channel moves to a
private descriptor and descriptor 1 becomes stderr (`claim_standard_streams`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from threading import Lock
from typing import BinaryIO

import msgspec

from runtime.values.errors import InternalError

READ_BYTES = 1 << 16
MAX_LINE_BYTES = 256 << 20


class LineBuffer:
    """Cuts a stream of bytes into lines."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._held_bytes = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, without their ends.

        Raises:
            InternalError: a line grows beyond 256 MB.
        """
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"".join([*self._parts, lines[0]])
            self._parts.clear()
            self._held_bytes = 0
        self._parts.append(rest)
        self._held_bytes += len(rest)
        if self._held_bytes > MAX_LINE_BYTES:
            raise InternalError("A message between the app and its worker grew beyond 256 MB.")
        return lines


def read_batches(stream: BinaryIO) -> Iterator[list[bytes]]:
    """Yield the complete lines of `stream`, as many at a time as one read brought, until its end."""
    buffer = LineBuffer()
    descriptor = stream.fileno()
    while data := os.read(descriptor, READ_BYTES):
        if lines := buffer.feed(data):
            yield lines


def encode_line(message: msgspec.Struct) -> bytes:
    """Return `message` as the line that carries it.

    Raises:
        UnicodeEncodeError: it holds text with half of a surrogate pair.
    """
    return msgspec.json.encode(message) + b"\n"


class MessageWriter:
    """Writes messages to a pipe, one JSON line each; usable from several threads."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = Lock()
        self._encoder = msgspec.json.Encoder()

    def send(self, *messages: msgspec.Struct) -> None:
        """Write `messages` in one go.

        Raises:
            OSError: the other side is gone.
        """
        with self._lock:
            self._stream.write(self._encoder.encode_lines(messages))
            self._stream.flush()


def claim_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipe ends to read from and to write to; descriptors 0 and 1 no longer lead to the pipe."""
    sys.stdout.flush()
    incoming = os.fdopen(os.dup(0), "rb", buffering=0)
    outgoing = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return incoming, outgoing
