"""A real HTTPS server that holds a release feed and misbehaves as it is told, and keys to sign feeds with."""

from __future__ import annotations

import base64
import ipaddress
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runtime.updates.feed_source import FeedSource
from runtime.updates.release_feed import Release, ReleaseFeed, feed_bytes

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
FEED_PATH, SIGNATURE_PATH = "/releases.json", "/releases.json.sig"
KEY, OTHER_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


class Served(msgspec.Struct, frozen=True):
    """What the server answers at an address."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = {}
    sent_bytes: int | None = None
    """Of the body; the connection is cut after them."""


class FeedServer:
    """What is served, and what was asked with which headers."""

    def __init__(self, address: str, trusting: ssl.SSLContext) -> None:
        self.address = address
        self.trusting = trusting
        self.served: dict[str, Served] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def source(self) -> FeedSource:
        """The feed, trusted where `KEY` has signed it."""
        return FeedSource(self.address + FEED_PATH, (public_key(KEY),))

    def publish(self, feed: ReleaseFeed, key: Ed25519PrivateKey = KEY) -> None:
        """Serve a feed and its signature."""
        self.publish_bytes(feed_bytes(feed), key)

    def publish_bytes(self, content: bytes, key: Ed25519PrivateKey = KEY) -> None:
        """Serve anything, signed."""
        self.served[FEED_PATH] = Served(content)
        self.served[SIGNATURE_PATH] = Served(base64.b64encode(key.sign(content)) + b"\n")


def public_key(key: Ed25519PrivateKey) -> bytes:
    """Return the public half."""
    return key.public_key().public_bytes_raw()


def feed_with(*versions: str, issued: datetime = NOW - timedelta(days=1), lasts_days: float = 90) -> ReleaseFeed:
    """Return a feed with these versions."""
    releases = tuple(
        Release(version=one, notes=f"New in {one}.", page=f"https://example.org/{one}") for one in versions
    )
    return ReleaseFeed(issued=issued, expires=issued + timedelta(days=lasts_days), releases=releases)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    feed_server: FeedServer

    def do_GET(self) -> None:
        self.feed_server.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        served = self.feed_server.served.get(self.path, Served(status=404))
        self.send_response_only(served.status)
        self.send_header("Content-Length", str(len(served.body)))
        self.send_header("Set-Cookie", "who=you; Path=/")
        for name, value in served.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(served.body[: served.sent_bytes])
        if served.sent_bytes is not None:
            self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error here."""


@contextmanager
def running_feed_server(folder: Path) -> Iterator[FeedServer]:
    """Yield a server on loopback with a certificate of its own, which is kept in `folder`."""
    certificate = _make_certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    class Handler(_Handler):
        pass

    server = _QuietServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    trusting = ssl.create_default_context(cafile=certificate)
    feed_server = Handler.feed_server = FeedServer(f"https://127.0.0.1:{server.server_address[1]}", trusting)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield feed_server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _make_certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    form, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file.write_bytes(key.private_bytes(form, serialization.PrivateFormat.PKCS8, plain) + certificate.public_bytes(form))
    return file
