"""The tests' Hub: two real HTTP servers on loopback, one for the API and small files, one that it redirects to.

It speaks what `huggingface_hub` and the product's own transport ask for: listing with search, filters and pages, model
info, file trees, `resolve` with ETags, commit and LFS redirects, ranges, tokens, gated and private repositories.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from tests.hub.answering import CdnHandler, HubHandler
from tests.hub.state import HubServer


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error here: tests kill clients."""


@contextmanager
def running_hub() -> Iterator[HubServer]:
    """Yield a Hub that listens on loopback."""
    hub = HubServer()
    servers = [
        _QuietServer(("127.0.0.1", 0), lambda *arguments: HubHandler(hub, *arguments)),
        _QuietServer(("127.0.0.1", 0), lambda *arguments: CdnHandler(hub, *arguments)),
    ]
    hub.endpoint, hub.cdn = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        hub.heal()
        for server in servers:
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()
