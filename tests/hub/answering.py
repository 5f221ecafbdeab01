"""How the tests' Hub answers: the API's JSON, redirects, whole files and ranges, and planned faults."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.hub.api import API_ROUTES, Refusal, access_refusal
from tests.hub.faults import (
    ClaimLength,
    CutAfter,
    Fault,
    Flip,
    IgnoreRange,
    StallAfter,
    Status,
    Then,
    Throttle,
    WrongRange,
)
from tests.hub.hosted import HostedFile, is_lfs
from tests.hub.state import HubServer, Request

if TYPE_CHECKING:
    from socketserver import BaseServer

RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
PIECE_BYTES = 1 << 16
RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    part = ""

    def __init__(self, hub: HubServer, request: socket.socket, address: tuple[str, int], server: BaseServer) -> None:
        self.hub = hub
        super().__init__(request, address, server)

    def do_GET(self) -> None:
        """Answer."""
        self.hub.clients[self.client_address] = self.connection
        self._note()
        self.answer()

    do_HEAD = do_GET  # noqa: N815 - likewise

    def answer(self) -> None:
        """Answer the request."""
        raise NotImplementedError

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def reply(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Send a short answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.hub.count(len(body))

    def refuse(self, refusal: Refusal) -> None:
        """Send an error as the Hub words it."""
        headers = {"X-Error-Message": refusal.message}
        if refusal.code:
            headers["X-Error-Code"] = refusal.code
        if refusal.retry_after:
            headers["Retry-After"] = refusal.retry_after
        self.reply(refusal.status, headers, json.dumps({"error": refusal.message}).encode())

    def refused_by(self, fault: Fault | None) -> bool:
        """Send the error that `fault` asks for, if it does."""
        if not isinstance(fault, Status):
            return False
        message = HTTPStatus(fault.code).phrase
        self.refuse(Refusal(fault.code, message, fault.error_code or "", fault.retry_after or ""))
        return True

    def token(self) -> str:
        """Return the token that came with the request, empty without."""
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def send_file(self, file: HostedFile, etag: str, headers: Mapping[str, str], fault: Fault | None) -> None:
        """Send a file, or the part of it that was asked for, with whatever is planned to go wrong."""
        size = file.size
        first, last = self._asked_for(size, fault)
        if first >= size > 0:
            self.reply(416, {"Content-Range": f"bytes */{size}"})
            return
        shift = fault.off_by if isinstance(fault, WrongRange) else 0
        claimed = size + (fault.off_by if isinstance(fault, ClaimLength) else 0)
        partial = "Range" in self.headers and not isinstance(fault, IgnoreRange)
        self.send_response(206 if partial else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("ETag", etag)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last + 1 - first + claimed - size))
        if partial:
            self.send_header("Content-Range", f"bytes {first + shift}-{last + shift}/{claimed}")
        self.end_headers()
        self.close_connection = claimed != size
        if self.command != "HEAD":
            self._send_body(file, first, last + 1, fault)
        if isinstance(fault, Then):
            fault.action()

    def _asked_for(self, size: int, fault: Fault | None) -> tuple[int, int]:
        asked = RANGE.fullmatch(self.headers.get("Range", ""))
        if asked is None or isinstance(fault, IgnoreRange):
            return 0, size - 1
        return int(asked[1]), min(int(asked[2] or size - 1), size - 1)

    def _send_body(self, file: HostedFile, first: int, end: int, fault: Fault | None) -> None:
        if fault is None and isinstance(file.content, Path):
            with file.content.open("rb") as stream:
                self.connection.sendfile(stream, first, end - first)
            self.hub.count(end - first)
            return
        started = time.monotonic()
        place = first
        while place < end:
            limit = self._until(place, first, end, fault)
            if limit == place:
                self._break_off(fault)
                return
            piece = bytearray(file.read(place, limit - place))
            if isinstance(fault, Flip) and place <= fault.offset < place + len(piece):
                piece[fault.offset - place] ^= 0xFF
            self.wfile.write(piece)
            self.hub.count(len(piece))
            place += len(piece)
            if isinstance(fault, Throttle):
                due = started + (place - first) / fault.bytes_per_second
                self.hub.released.wait(max(0.0, due - time.monotonic()))

    def _until(self, place: int, first: int, end: int, fault: Fault | None) -> int:
        """Return where the next piece ends."""
        limit = min(end, place + PIECE_BYTES)
        match fault:
            case CutAfter(body_bytes=body_bytes) | StallAfter(body_bytes=body_bytes):
                return min(limit, first + body_bytes)
            case Throttle(bytes_per_second):
                return min(limit, place + max(1, bytes_per_second // 50))
            case _:
                return limit

    def _break_off(self, fault: Fault | None) -> None:
        self.wfile.flush()
        if isinstance(fault, StallAfter):
            self.hub.released.wait()
        if isinstance(fault, CutAfter):
            fault.then()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _note(self) -> None:
        header = self.headers.get
        self.hub.note(
            Request(
                self.part,
                self.command,
                self.path,
                header("Range", ""),
                header("Authorization", ""),
                header("User-Agent", ""),
            )
        )


class HubHandler(_Handler):
    """The Hub itself."""

    part = "hub"

    def answer(self) -> None:
        """Answer from the API, or with a file."""
        url = urlsplit(self.path)
        path = unquote(url.path)
        fault = self.hub.fault_for("hub", path)
        if self.refused_by(fault):
            return
        if path in self.hub.redirects:
            self.reply(307, {"Location": self.hub.redirects[path]}, b"Temporary Redirect.")
            return
        for pattern, route in API_ROUTES:
            if found := pattern.fullmatch(path):
                if isinstance(fault, StallAfter):
                    self.hub.released.wait()
                self._send_json(route(self.hub, self.token(), found.groupdict(), parse_qs(url.query)))
                return
        if found := RESOLVE.fullmatch(path):
            self._resolve(found["repo"], found["revision"], found["path"], fault)
            return
        self.refuse(Refusal(404, "Sorry, we can't find the page you are looking for."))

    def _send_json(self, answer: tuple[object, str] | Refusal) -> None:
        if isinstance(answer, Refusal):
            self.refuse(answer)
            return
        value, following = answer
        headers = {"Content-Type": "application/json"}
        if following:
            headers["Link"] = f'<{self.hub.endpoint}{following}>; rel="next"'
        self.reply(200, headers, json.dumps(value).encode())

    def _resolve(self, repo_id: str, revision: str, path: str, fault: Fault | None) -> None:
        refusal = access_refusal(self.hub, repo_id, self.token(), wants_files=True)
        if refusal:
            self.refuse(refusal)
            return
        repo = self.hub.repos[repo_id]
        if revision not in {"main", repo.commit}:
            self.refuse(Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound"))
            return
        file = repo.files.get(path)
        if file is None:
            self.refuse(Refusal(404, "Entry not found", "EntryNotFound"))
            return
        headers = {"X-Repo-Commit": repo.commit}
        if not is_lfs(path, file):
            self.send_file(file, f'"{file.git_id}"', headers, fault)
            return
        headers |= {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(file.size)}
        headers["Location"] = f"{self.hub.cdn}/{quote(repo_id)}/{quote(path)}?signature={file.sha256[:8]}"
        self.reply(302, headers, b"Found. Redirecting.")


class CdnHandler(_Handler):
    """Where large files lie."""

    part = "cdn"

    def answer(self) -> None:
        """Answer with a file, to whoever has the link."""
        path = unquote(urlsplit(self.path).path)
        publisher, name, inside = path.lstrip("/").split("/", 2)
        repo = self.hub.repos.get(f"{publisher}/{name}")
        file = repo.files.get(inside) if repo else None
        fault = self.hub.fault_for("cdn", path)
        if self.refused_by(fault):
            return
        if file is None:
            self.reply(404, {}, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        self.send_file(file, f'"{file.sha256[:32]}"', {}, fault)
