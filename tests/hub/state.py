"""What the tests' Hub knows: repositories, tokens, planned faults, and every request it was sent."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass

from tests.hub.faults import Fault, Planned
from tests.hub.hosted import HostedRepo


@dataclass(frozen=True)
class Request:
    """A request as it came in, and what it was answered with.

    Attributes:
        part: "hub" or "cdn".
        method: GET or HEAD.
        target: path and query.
        byte_range: the Range header, empty without.
        authorization: the Authorization header, empty without.
        user_agent: the User-Agent header.
    """

    part: str
    method: str
    target: str
    byte_range: str
    authorization: str
    user_agent: str


class HubServer:
    """A Hub. `running_hub` starts and stops it.

    Attributes:
        repos: what it hosts, by id; tests may change them while it runs.
        tokens: tokens it knows.
        page_size: entries of a listing in one answer.
        requests: what it was asked, in order.
        redirects: paths that it sends elsewhere.
        clients: every connection so far, by the client's address.
    """

    def __init__(self) -> None:
        self.repos: dict[str, HostedRepo] = {}
        self.tokens: set[str] = set()
        self.page_size = 100
        self.requests: list[Request] = []
        self.redirects: dict[str, str] = {}
        self.clients: dict[tuple[str, int], socket.socket] = {}
        self.released = threading.Event()
        self.endpoint = ""
        self.cdn = ""
        self._sent_bytes = 0
        self._planned: list[Planned] = []
        self._lock = threading.Lock()

    @property
    def sent_bytes(self) -> int:
        """Bytes of all bodies sent so far."""
        with self._lock:
            return self._sent_bytes

    def host(self, *repos: HostedRepo) -> None:
        """Host these, too."""
        self.repos |= {repo.repo_id: repo for repo in repos}

    def plan(self, fault: Fault, path: str = "", *, part: str = "", times: int = 1) -> None:
        """Do this wrong with the next `times` requests for `path`."""
        with self._lock:
            self._planned.append(Planned(fault, part, path, times))

    def heal(self) -> None:
        """Forget all planned faults, and let go of what stalls."""
        with self._lock:
            self._planned.clear()
        self.released.set()

    def fault_for(self, part: str, path: str) -> Fault | None:
        """Return what to do wrong with a request, and count it."""
        with self._lock:
            for planned in self._planned:
                if planned.times > 0 and planned.part in {"", part} and path.endswith(planned.path):
                    planned.times -= 1
                    return planned.fault
        return None

    def hang_up(self) -> None:
        """Close every connection, as a server does with those that are idle for long."""
        for connection in self.clients.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def note(self, request: Request) -> None:
        """Remember a request."""
        with self._lock:
            self.requests.append(request)

    def count(self, sent_bytes: int) -> None:
        """Count bytes of a body."""
        with self._lock:
            self._sent_bytes += sent_bytes
