"""HTTP/1.1 to one private llama-server, over a Unix socket or the loopback address: single calls and event streams.

A stream is read without blocking, so that one thread can serve several of them, and its parser costs a few
microseconds an event: thousands of tokens a second pass through it. The standard library's client can only block.
"""

from __future__ import annotations

import socket
import sys
from enum import Enum, auto
from time import monotonic

import msgspec

from runtime.values.errors import ContextOverflowError, FirstTokenError, InternalError, WorkerLostError

CONNECT_TIMEOUT_S = 10.0
RECEIVE_BYTES = 1 << 18
LOOPBACK = "127.0.0.1"
OK = 200


class ServerAddress(msgspec.Struct, frozen=True):
    """Where a server listens: a Unix socket if `socket_path` is set, otherwise a port of the loopback address."""

    socket_path: str = ""
    port: int = 0

    def connect(self, timeout_s: float = CONNECT_TIMEOUT_S) -> socket.socket:
        """Return a connected socket whose operations time out after `timeout_s`.

        Raises:
            OSError: nobody listens there.
        """
        if sys.platform != "win32" and self.socket_path:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            target: str | tuple[str, int] = self.socket_path
        else:
            connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            target = (LOOPBACK, self.port)
        connection.settimeout(timeout_s)
        try:
            connection.connect(target)
        except OSError:
            connection.close()
            raise
        return connection


class _State(Enum):
    HEAD = auto()
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    CHUNK_END = auto()
    UNTIL_CLOSE = auto()
    DONE = auto()


class ReplyParser:
    """Takes the bytes of one HTTP/1.1 reply as they come and gives back the bytes of its body.

    Attributes:
        status: the status code; 0 until the head is complete.
    """

    def __init__(self) -> None:
        self.status = 0
        self._state = _State.HEAD
        self._buffer = b""
        self._missing = 0

    @property
    def done(self) -> bool:
        """Whether the reply is complete."""
        return self._state is _State.DONE

    def feed(self, data: bytes) -> bytes:
        """Return the part of the body that `data` completes.

        Raises:
            InternalError: this is not HTTP/1.1.
        """
        self._buffer += data
        body: list[bytes] = []
        try:
            while self._advance(body):
                pass
        except (ValueError, IndexError) as error:
            raise InternalError(
                "The inference server sent something other than HTTP.", detail=repr(data[:200])
            ) from error
        return b"".join(body)

    def end_of_stream(self) -> bool:
        """Note that the server closed the connection; return whether the reply is complete."""
        if self._state is _State.UNTIL_CLOSE:
            self._state = _State.DONE
        return self.done

    def _advance(self, body: list[bytes]) -> bool:
        """Do one step; return whether there may be another one."""
        match self._state:
            case _State.HEAD:
                return self._read_head()
            case _State.CHUNK_SIZE:
                return self._read_chunk_size()
            case _State.BODY | _State.CHUNK | _State.UNTIL_CLOSE:
                return self._read_body(body)
            case _State.CHUNK_END:
                return self._skip_line()
            case _State.DONE:
                return False

    def _read_head(self) -> bool:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        self._buffer = rest
        status_line, *lines = head.split(b"\r\n")
        self.status = int(status_line.split(b" ", 2)[1])
        headers = dict(line.lower().split(b": ", 1) for line in lines if b": " in line)
        if headers.get(b"transfer-encoding") == b"chunked":
            self._state = _State.CHUNK_SIZE
        elif b"content-length" in headers:
            self._missing = int(headers[b"content-length"])
            self._state = _State.BODY if self._missing else _State.DONE
        else:
            self._missing = sys.maxsize
            self._state = _State.UNTIL_CLOSE
        return True

    def _read_chunk_size(self) -> bool:
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end:
            return False
        self._buffer = rest
        self._missing = int(line, 16)
        self._state = _State.CHUNK if self._missing else _State.DONE
        return self._missing > 0

    def _read_body(self, body: list[bytes]) -> bool:
        piece = self._buffer[: self._missing]
        if not piece:
            return False
        self._buffer = self._buffer[len(piece) :]
        self._missing -= len(piece)
        body.append(piece)
        if self._missing == 0:
            self._state = _State.CHUNK_END if self._state is _State.CHUNK else _State.DONE
        return self._missing == 0

    def _skip_line(self) -> bool:
        if len(self._buffer) < 2:
            return False
        self._buffer = self._buffer[2:]
        self._state = _State.CHUNK_SIZE
        return True


class EventSplitter:
    """Takes the body of an event stream as it comes and gives back the payloads of complete events.

    Comments, which llama-server sends to keep a silent connection open, are dropped.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, body: bytes) -> list[bytes]:
        """Return the payloads that `body` completes, oldest first.

        Older servers name their error events instead of wrapping them; they come as `{"error": …}` all the same.
        """
        *blocks, self._rest = (self._rest + body).split(b"\n\n")
        payloads = []
        for block in blocks:
            if block.startswith(b"data: "):
                payloads.append(block[6:])
            elif block.startswith(b"error: "):
                payloads.append(b'{"error":' + block[7:] + b"}")
        return payloads


class ServerRefusal(msgspec.Struct, frozen=True):
    """Why the server did not do what it was asked, in its own words."""

    message: str = ""
    type: str = ""

    def as_error(self) -> FirstTokenError:
        """Return the error to raise for it."""
        if self.type == "exceed_context_size_error":
            return ContextOverflowError(
                "The prompt is longer than the context.",
                "Shorten the prompt, or load the model with a longer context.",
                detail=self.message,
            )
        return InternalError(f"The inference server refused a request: {self.message}", detail=self.type)


class _RefusalBody(msgspec.Struct, frozen=True):
    error: ServerRefusal = ServerRefusal()


def lost(detail: str) -> WorkerLostError:
    """Return the error for a server that went away in the middle of the work."""
    return WorkerLostError(
        "The inference server ended in the middle of the work.", "Load the model again.", detail=detail
    )


def _refusal(status: int, body: bytes) -> FirstTokenError:
    try:
        refusal = msgspec.json.decode(body, type=_RefusalBody).error
    except msgspec.DecodeError:
        refusal = ServerRefusal(f"status {status}", body[:500].decode("utf-8", "replace"))
    return refusal.as_error()


class EventStream:
    """The events of one request, read without blocking. Closing it makes the server give the request up."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._connection.settimeout(0)
        self._parser = ReplyParser()
        self._events = EventSplitter()
        self._error_body = b""

    @property
    def done(self) -> bool:
        """Whether the reply is complete."""
        return self._parser.done

    def fileno(self) -> int:
        """Return the descriptor to wait on; -1 once closed."""
        return self._connection.fileno()

    def read(self) -> list[bytes]:
        """Return the payloads that have arrived; none if nothing has.

        Raises:
            FirstTokenError: the server refused the request, or went away before its reply was complete.
        """
        try:
            data = self._connection.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return []
        except OSError as error:
            raise lost(repr(error)) from error
        body = self._parser.feed(data)
        if not data and not self._parser.end_of_stream():
            raise lost("the connection closed in the middle of a reply")
        if self._parser.status in {0, OK}:
            return self._events.feed(body)
        self._error_body += body
        if self._parser.done:
            raise _refusal(self._parser.status, self._error_body)
        return []

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._connection.close()


class ServerClient:
    """Sends requests to one server, with its key."""

    def __init__(self, address: ServerAddress, key: str) -> None:
        self._address = address
        self._key = key

    def call(self, path: str, body: bytes | None = None, *, timeout_s: float) -> bytes:
        """Return the body of the reply to a GET, or to a POST of `body`, waiting for at most about `timeout_s`.

        Raises:
            FirstTokenError: the server refused, is gone or took too long.
        """
        deadline = monotonic() + timeout_s
        parser = ReplyParser()
        reply = b""
        try:
            with self._send(path, body, timeout_s) as connection:
                while not parser.done:
                    connection.settimeout(max(0.001, deadline - monotonic()))
                    data = connection.recv(RECEIVE_BYTES)
                    reply += parser.feed(data)
                    if not data and not parser.end_of_stream():
                        raise lost(f"the connection closed in the middle of the reply to {path}")
        except OSError as error:
            raise lost(f"{path}: {error!r}") from error
        if parser.status != OK:
            raise _refusal(parser.status, reply)
        return reply

    def open_stream(self, path: str, body: bytes) -> EventStream:
        """Post `body` and return the stream of events that answers it.

        Raises:
            WorkerLostError: the server is gone.
        """
        try:
            return EventStream(self._send(path, body, CONNECT_TIMEOUT_S))
        except OSError as error:
            raise lost(f"{path}: {error!r}") from error

    def _send(self, path: str, body: bytes | None, timeout_s: float) -> socket.socket:
        head = (
            f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {self._key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body or b'')}\r\nConnection: close\r\n\r\n"
        )
        connection = self._address.connect(min(timeout_s, CONNECT_TIMEOUT_S))
        try:
            connection.sendall(head.encode("ascii") + (body or b""))
        except OSError:
            connection.close()
            raise
        return connection
