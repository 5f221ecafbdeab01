"""Bytes from the Hub: any part of any file, over connections of our own.

`huggingface_hub` downloads whole files and keeps its progress to itself; here a part can be asked for, given up and
asked for again, and each read tells at once what came. Plain `http.client` moves 0.5 to 0.8 GB/s on one core where the
library's client moves 0.3.

A file is asked for at the Hub each time, because the link that large files are redirected to expires. The token goes to
the Hub alone, never to where it redirects.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import threading
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import msgspec

from runtime.hub.access import HubAccess
from runtime.hub.connecting import Connecting
from runtime.hub.failures import Refusal, refusal_error, retry_after_s, unreachable
from runtime.hub.remote_file import Identity, RemoteFile
from runtime.library.defects import shown
from runtime.values.errors import DownloadError, HubAccessError, HubBusyError, UserFacingError

MOST_REDIRECTS = 8
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_ERROR_BYTES = 1 << 16
RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
HTTPS_PORT, HTTP_PORT = 443, 80

Origin = tuple[str, str, int]
Find = Callable[[str], str | None]


class Timeouts(msgspec.Struct, frozen=True):
    """How long to wait for a connection, and for a sign of life on one, in seconds."""

    connect_s: float = 10.0
    silence_s: float = 20.0


class Body:
    """A part of a file on its way here.

    Attributes:
        first: where it begins in the file; 0 if the server sends the whole whatever was asked for.
        identity: which state of the file it is from.
    """

    def __init__(
        self,
        response: HTTPResponse,
        live: socket.socket | None,
        first: int,
        identity: Identity,
        lost: Callable[[], None],
    ) -> None:
        self.first = first
        self.identity = identity
        self._response = response
        self._live = live
        self._left = response.length
        self._lost = lost

    @property
    def would_wait(self) -> bool:
        """Whether nothing has come that a read could return at once, but for a few kilobytes that came with others."""
        return self._left != 0 and self._live is not None and not _has_data(self._live)

    def read(self, most_bytes: int) -> bytes:
        """Return what has come, at most `most_bytes`; wait for at least one byte; empty at the end.

        Raises:
            HubUnreachableError: the connection was cut, or was silent for too long.
        """
        if self._left == 0:
            return b""
        try:
            data = self._response.read1(most_bytes)
        except (OSError, HTTPException, ValueError) as error:
            raise self._broken_off(error) from error
        self._count(len(data))
        return data

    def read_into(self, space: memoryview) -> int:
        """Put what has come into `space` and return how much; as `read` else."""
        if self._left is None:
            data = self.read(len(space))
            space[: len(data)] = data
            return len(data)
        if self._left == 0:
            return 0
        try:
            count = self._response.fp.readinto1(space[: self._left])
        except (OSError, HTTPException, ValueError) as error:
            raise self._broken_off(error) from error
        self._count(count)
        return count

    def close(self) -> None:
        """Want no more of it. Idempotent."""
        if not self._response.isclosed():
            self._lost()

    def _count(self, count: int) -> None:
        """Count bytes that came; none at all before the end is a cut."""
        if self._left is None:
            return
        self._left -= count
        if self._left == 0:
            self._response.close()  # leaves the connection open for the next request
        elif count == 0:
            raise self._broken_off(ConnectionError(f"{self._left} bytes were still to come"))

    def _broken_off(self, error: BaseException) -> UserFacingError:
        self._lost()
        return unreachable("The server", error)


class HubTransport:
    """Connections for one thread; `interrupt` alone may be called from others."""

    def __init__(
        self,
        access: HubAccess,
        *,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        proxy_for: Find | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        """Take how to reach the Hub; nothing is connected yet.

        Args:
            access: the Hub's address and the token.
            timeouts: how long to wait.
            proxy_for: gives the proxy for an address; None takes those of the environment and the system.
            tls: makes the context for encrypted connections, when the first one is; None takes the usual one.
        """
        self._access = access
        self._home = _origin(urlsplit(access.endpoint))
        self._timeouts = timeouts
        self._proxy_for = proxy_for or system_proxy
        self._make_tls = tls or usual_tls
        self._tls: ssl.SSLContext | None = None
        self._connections: dict[Origin, HTTPConnection] = {}
        self._live: socket.socket | None = None
        self._connecting: Connecting | None = None
        self._guard = threading.Lock()
        self._interrupted = False

    def open(self, file: RemoteFile, first: int = 0, last: int | None = None) -> Body:
        """Ask for the bytes from `first` to `last` (None: the end), both included.

        Raises:
            UserFacingError: the Hub cannot be reached, is busy or refuses; see `failures`.
            DownloadError: the file ends before `first`.
        """
        byte_range = f"bytes={first}-{'' if last is None else last}"
        url, etag = file.url(self._access.endpoint), ""
        for _ in range(MOST_REDIRECTS):
            response = self._ask(url, byte_range)
            headers = {name.lower(): value for name, value in response.getheaders()}
            etag = etag or _tag(headers.get("x-linked-etag", ""))
            if response.status not in REDIRECTS:
                return self._body(url, response, headers, etag, file)
            self._finish(url, response)
            url = self._redirected(url, headers.get("location", ""))
        raise HubBusyError("The Hub redirects in circles.", "Try again later, or check the proxy and HF_ENDPOINT.")

    def interrupt(self) -> None:
        """Make reads and waits of the other thread fail soon, now and for ever. Any thread."""
        with self._guard:
            self._interrupted = True
            if self._connecting is not None:
                self._connecting.give_up()
            _shut(self._live)

    def close(self) -> None:
        """Close all connections. Idempotent."""
        connections, self._connections = self._connections, {}
        for connection in connections.values():
            connection.close()

    def _ask(self, url: str, byte_range: str) -> HTTPResponse:
        """Send the request over the connection that is there, once more over a fresh one if that was stale."""
        origin = _origin(urlsplit(url))
        is_used = origin in self._connections
        try:
            return self._exchange(url, origin, byte_range)
        except (ConnectionError, HTTPException) as error:
            self._drop(origin)
            if not is_used:
                raise unreachable(_address(origin), error) from error
        except (OSError, ValueError) as error:
            self._drop(origin)
            raise unreachable(_address(origin), error) from error
        try:
            return self._exchange(url, origin, byte_range)
        except (OSError, HTTPException, ValueError) as error:
            self._drop(origin)
            raise unreachable(_address(origin), error) from error

    def _exchange(self, url: str, origin: Origin, byte_range: str) -> HTTPResponse:
        parts = urlsplit(url)
        headers = {"Range": byte_range, "Accept-Encoding": "identity", "User-Agent": "first-token/1"}
        if self._access.token and origin == self._home:
            headers["Authorization"] = f"Bearer {self._access.token.reveal()}"
        proxy = self._proxy_for(url)
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        if proxy and parts.scheme == "http":
            headers |= _proxy_headers(_proxy_parts(proxy))
            target = f"http://{parts.netloc}{target}"
        connection = self._connected(origin, proxy)
        connection.request("GET", target, headers=headers)
        response = connection.getresponse()
        if response.will_close:
            self._connections.pop(origin)
        return response

    def _connected(self, origin: Origin, proxy: str | None) -> HTTPConnection:
        connection = self._connections.get(origin)
        if connection is None:
            connection = self._made(origin, proxy)
            self._connect(connection)
            connection.sock.settimeout(self._timeouts.silence_s)
            self._connections[origin] = connection
        with self._guard:
            self._live = connection.sock
            if self._interrupted:
                raise ConnectionAbortedError("interrupted")
        return connection

    def _connect(self, connection: HTTPConnection) -> None:
        attempt = Connecting(connection)
        with self._guard:
            if self._interrupted:
                raise ConnectionAbortedError("interrupted")
            self._connecting = attempt
        try:
            attempt.wait()
        finally:
            with self._guard:
                self._connecting = None

    def _made(self, origin: Origin, proxy: str | None) -> HTTPConnection:
        scheme, host, port = origin
        wait_s = self._timeouts.connect_s
        if scheme == "http":
            via = _proxy_parts(proxy) if proxy else None
            return HTTPConnection((via and via.hostname) or host, (via and via.port) or port, timeout=wait_s)
        self._tls = self._tls or self._make_tls()
        if not proxy:
            return HTTPSConnection(host, port, timeout=wait_s, context=self._tls)
        via = _proxy_parts(proxy)
        connection = HTTPSConnection(via.hostname or "", via.port or HTTP_PORT, timeout=wait_s, context=self._tls)
        connection.set_tunnel(host, port, _proxy_headers(via))
        return connection

    def _body(self, url: str, response: HTTPResponse, headers: Mapping[str, str], etag: str, file: RemoteFile) -> Body:
        origin = _origin(urlsplit(url))
        if response.status not in {200, 206}:
            error = self._refused(origin, response.status, headers, file)
            self._finish(url, response)
            raise error
        if headers.get("content-encoding", "identity").lower() != "identity":
            self._drop(origin)
            raise HubBusyError("The server sends the file in an encoded form.", "Check the proxy and HF_ENDPOINT.")
        own = _tag(headers.get("etag", ""))
        first, total = _placed(response.status, headers)
        identity = Identity(etag or own, own if etag else "", total)
        return Body(response, self._live, first, identity, lambda: self._drop(origin))

    def _refused(self, origin: Origin, status: int, headers: Mapping[str, str], file: RemoteFile) -> UserFacingError:
        if status == 416:
            return DownloadError(
                f"{shown(file.path)} is shorter on the server than the Hub says.",
                "Try again later, or choose another version of the model.",
                detail=headers.get("content-range", ""),
            )
        if origin == self._home:
            has_token = self._access.token is not None
            return refusal_error(Refusal(status, headers, self._access.endpoint, file.repo_id, has_token))
        # A link that the Hub gave out is refused once it has expired: the next attempt gets a new one.
        return HubBusyError(
            f"The server that the file lies on refuses it (HTTP {status}).",
            "Wait a little, then try again.",
            retry_after_s=retry_after_s(headers),
        )

    def _redirected(self, url: str, location: str) -> str:
        target = urljoin(url, location)
        parts = urlsplit(target)
        if not location or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise HubBusyError("The Hub redirects to nowhere.", "Try again later, or check the proxy and HF_ENDPOINT.")
        if parts.scheme == "http" and urlsplit(url).scheme == "https":
            raise HubAccessError(
                "The Hub redirects the download to an address without encryption.", "Check the proxy and HF_ENDPOINT."
            )
        return target

    def _finish(self, url: str, response: HTTPResponse) -> None:
        """Read the rest of a short answer, so that its connection can be used again."""
        try:
            is_short = len(response.read(MOST_ERROR_BYTES)) < MOST_ERROR_BYTES
        except (OSError, HTTPException, ValueError):
            is_short = False
        if not is_short or response.will_close:
            self._drop(_origin(urlsplit(url)))

    def _drop(self, origin: Origin) -> None:
        connection = self._connections.pop(origin, None)
        if connection is not None:
            connection.close()


def usual_tls() -> ssl.SSLContext:
    """Return the context that `huggingface_hub` encrypts with, too."""
    import httpx2  # noqa: PLC0415 - takes longer than all else here, and a window that lists downloads needs none of it

    return httpx2.create_ssl_context()


def system_proxy(url: str) -> str | None:
    """Return the proxy that the environment or the system asks to use for `url`; None for a direct connection."""
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if proxy and not urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]) else None


def _proxy_parts(proxy: str) -> SplitResult:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme != "http" or not parts.hostname:
        raise HubAccessError(
            f"Downloads cannot go through a proxy of the kind {parts.scheme or 'unknown'}.",
            "Name an HTTP proxy in the system's settings or in HTTPS_PROXY.",
        )
    return parts


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    import base64  # noqa: PLC0415 - hardly anyone needs it

    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _placed(status: int, headers: Mapping[str, str]) -> tuple[int, int | None]:
    """Return where the body begins in the file, and the file's size if the server says it."""
    if status == 200:
        length = headers.get("content-length", "")
        return 0, int(length) if length.isdecimal() else None
    found = RANGE.fullmatch(headers.get("content-range", ""))
    if found is None:
        raise HubBusyError("The server does not say which part of the file it sends.", "Try again later.")
    return int(found[1]), None if found[3] == "*" else int(found[3])


def _origin(parts: SplitResult) -> Origin:
    port = parts.port or (HTTPS_PORT if parts.scheme == "https" else HTTP_PORT)
    return parts.scheme, parts.hostname or "", port


def _address(origin: Origin) -> str:
    return f"{origin[0]}://{origin[1]}:{origin[2]}"


def _tag(text: str) -> str:
    return text.strip().removeprefix("W/").strip('"')


def _has_data(live: socket.socket) -> bool:
    """Return whether something can be read from `live`, be it the end or an error."""
    if isinstance(live, ssl.SSLSocket) and live.pending():
        return True
    try:
        if hasattr(select, "poll"):  # Windows has none, and no limit on the numbers of sockets
            poll = select.poll()
            poll.register(live, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([live], [], [], 0)[0])
    except (OSError, ValueError):
        return True


def _shut(live: socket.socket | None) -> None:
    """Shut the connection below, past what TLS does of its own: that would take its state from under a reader."""
    with suppress(OSError):
        if live is not None:
            socket.socket.shutdown(live, socket.SHUT_RDWR)
