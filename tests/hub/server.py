"""The tests' Hub: two real HTTP servers on loopback, one for the API and small files, one that it redirects to.

It speaks what `huggingface_hub` and the product's own transport ask for: listing with search, filters and pages, model
info, file trees, `resolve` with ETags, commit and LFS redirects, ranges, tokens, gated and private repositories.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

from tests.hub.answering import CdnHandler, HubHandler
from tests.hub.state import HubServer


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error here: tests kill clients."""


@contextmanager
def running_hub(certificate: Path | None = None) -> Iterator[HubServer]:
    """Yield a Hub that listens on loopback, encrypted if there is a certificate (with its key in the same file)."""
    hub = HubServer()
    servers = [
        _QuietServer(("127.0.0.1", 0), lambda *arguments: HubHandler(hub, *arguments)),
        _QuietServer(("127.0.0.1", 0), lambda *arguments: CdnHandler(hub, *arguments)),
    ]
    scheme = "http"
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        scheme = "https"
        for server in servers:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    hub.endpoint, hub.cdn = (f"{scheme}://127.0.0.1:{server.server_address[1]}" for server in servers)
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
