"""HTTP to a private server: replies cut anywhere, servers that refuse, stall or go away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.engine.llamacpp_http import EventSplitter, EventStream, ReplyParser, ServerAddress, ServerClient
from runtime.values.errors import ContextOverflowError, FirstTokenError, InternalError, WorkerLostError

OK_STREAM = (
    b"HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s"


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(bounds)]


@given(
    events=st.lists(st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b" ")), max_size=8),
    places=st.lists(st.integers(0, 2000), max_size=30),
    pieces=st.lists(st.integers(0, 2000), max_size=10),
)
def test_events_are_the_same_however_the_stream_is_cut(
    events: list[bytes], places: list[int], pieces: list[int]
) -> None:
    body = b"".join(b": ping\n\ndata: " + event + b"\n\n" for event in events)
    reply = OK_STREAM + chunked(*cut(body, pieces))
    parser, splitter = ReplyParser(), EventSplitter()
    found = [payload for data in cut(reply, places) for payload in splitter.feed(parser.feed(data))]
    assert found == events
    assert parser.done
    assert parser.status == 200


@given(body=st.binary(max_size=200), places=st.lists(st.integers(0, 400), max_size=10))
def test_bodies_of_known_length_and_until_the_end_are_whole(body: bytes, places: list[int]) -> None:
    known = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    parser = ReplyParser()
    assert b"".join(parser.feed(data) for data in cut(known, places)) == body
    assert parser.done
    parser = ReplyParser()
    assert b"".join(parser.feed(data) for data in cut(b"HTTP/1.1 200 OK\r\n\r\n" + body, places)) == body
    assert not parser.done
    assert parser.end_of_stream()


@pytest.mark.parametrize("garbage", [b"SSH-2.0-x\r\n\r\n", b"\r\n\r\n", OK_STREAM + b"zz\r\n"])
def test_what_is_not_http_is_an_error(garbage: bytes) -> None:
    with pytest.raises(InternalError):
        ReplyParser().feed(garbage)


@contextmanager
def stream_of(data: bytes, *, close: bool) -> Iterator[EventStream]:
    ours, theirs = socket.socketpair()
    with theirs:
        stream = EventStream(ours)
        theirs.sendall(data)
        if close:
            theirs.close()
        yield stream
        stream.close()


def test_a_stream_gives_what_is_there_and_does_not_wait() -> None:
    with stream_of(OK_STREAM + b"e\r\ndata: one\n\ndat\r\n", close=False) as stream:
        assert stream.read() == [b"one"]
        assert stream.read() == []


def test_a_stream_that_ends_too_soon_is_a_lost_server() -> None:
    with stream_of(OK_STREAM + b"c\r\ndata: one\n\n\r\n", close=True) as stream:
        assert stream.read() == [b"one"]
        with pytest.raises(WorkerLostError):
            stream.read()


def test_a_stream_that_is_complete_may_be_closed() -> None:
    with stream_of(OK_STREAM + chunked(b"data: one\n\n"), close=True) as stream:
        assert stream.read() == [b"one"]
        assert stream.read() == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"error":{"message":"too long","type":"exceed_context_size_error"}}', ContextOverflowError),
        (b'{"error":{"message":"no such field","type":"invalid_request_error"}}', InternalError),
        (b"<html>", InternalError),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(body: bytes, kind: type[FirstTokenError]) -> None:
    reply = REFUSED % (len(body), body)
    with stream_of(reply[:-3], close=False) as stream:
        assert stream.read() == []
    with stream_of(reply, close=False) as stream, pytest.raises(kind) as caught:
        stream.read()
    assert isinstance(caught.value, InternalError | ContextOverflowError)
    assert "message" not in caught.value.what
    with serving(reply) as client, pytest.raises(kind):
        client.call("/tokenize", b"{}", timeout_s=5)


def test_older_servers_errors_are_found_too() -> None:
    assert EventSplitter().feed(b'error: {"message":"x"}\n\n') == [b'{"error":{"message":"x"}}']


@contextmanager
def serving(reply: bytes | None) -> Iterator[ServerClient]:
    """Answer one connection on a loopback port with `reply`; with None, accept it and say nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answered = threading.Event()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                if reply is not None:
                    connection.sendall(reply)
                answered.wait(10)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield ServerClient(ServerAddress(port=listener.getsockname()[1]), "key")
        finally:
            answered.set()
            thread.join()


def test_a_call_returns_the_body() -> None:
    with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as client:
        assert client.call("/health", timeout_s=5) == b"{}"


def test_a_silent_server_is_lost_after_the_time_limit() -> None:
    with serving(None) as client:
        began = monotonic()
        with pytest.raises(WorkerLostError):
            client.call("/health", timeout_s=0.05)
        assert monotonic() - began < 5


def test_nobody_listening_is_a_lost_server(tmp_path: Path) -> None:
    for address in (ServerAddress(socket_path=str(tmp_path / "no.sock")), ServerAddress(port=1)):
        client = ServerClient(address, "key")
        with pytest.raises(WorkerLostError):
            client.call("/health", timeout_s=1)
        with pytest.raises(WorkerLostError):
            client.open_stream("/completion", b"{}")
