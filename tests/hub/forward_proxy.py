"""A real forward proxy on loopback: plain requests by absolute address, encrypted ones by CONNECT, with a password."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class ForwardProxy(ThreadingHTTPServer):
    """The proxy; `asked` holds the hosts it was asked for."""

    daemon_threads = True

    def __init__(self, password: str) -> None:
        self.asked: list[str] = []
        self.expected = f"Basic {base64.b64encode(password.encode()).decode()}"
        super().__init__(("127.0.0.1", 0), _ProxyHandler)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _ProxyHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ForwardProxy

    def do_GET(self) -> None:
        """Forward one request and its answer."""
        if self._is_stranger():
            return
        url = urlsplit(self.path)
        self.server.asked.append(url.netloc)
        upstream = HTTPConnection(url.netloc)
        upstream.request("GET", f"{url.path}?{url.query}", headers={"Range": self.headers.get("Range", "")})
        answer = upstream.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"server", "date"}:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        upstream.close()

    def do_CONNECT(self) -> None:
        """Pass bytes on in both directions until either side ends."""
        if self._is_stranger():
            return
        self.server.asked.append(self.path)
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as upstream:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_pass_on, args=(upstream, self.connection), daemon=True)
            back.start()
            _pass_on(self.connection, upstream)
            back.join()
        self.close_connection = True

    def _is_stranger(self) -> bool:
        if self.headers.get("Proxy-Authorization") == self.server.expected:
            return False
        self.send_error(407)
        return True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def running_proxy(password: str) -> Iterator[ForwardProxy]:
    """Yield a proxy that wants `password` ("name:password")."""
    proxy = ForwardProxy(password)
    thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
