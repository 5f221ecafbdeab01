"""Asking for the release feed: a file over HTTPS, bounded in size and time, which says nothing of who asks.

What is sent is the address and this app's name and version. No cookie is sent or kept (each request has a client of its
own, redirects included), no language, no system, no identifier.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from time import monotonic
from urllib.parse import urljoin, urlsplit

import httpx2
import msgspec

from runtime.values.errors import UpdateError

MOST_REDIRECTS = 4
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Patience(msgspec.Struct, frozen=True):
    """How long to wait: for a connection or a sign of life on it, and for the whole, in seconds."""

    silence_s: float = 10.0
    whole_s: float = 30.0


class FeedRequest:
    """Asks for files as one version of this app."""

    def __init__(
        self,
        version: str,
        *,
        tls: Callable[[], ssl.SSLContext] = httpx2.create_ssl_context,
        patience: Patience = Patience(),  # noqa: B008 - frozen
    ) -> None:
        self._headers = {"User-Agent": f"first-token/{version}", "Accept-Encoding": "identity"}
        self._make_tls = tls
        self._patience = patience

    def get(self, address: str, most_bytes: int) -> bytes:
        """Return the file at `address`, if it has at most `most_bytes`.

        Raises:
            UpdateError: it cannot be had; the text says why.
        """
        tls = self._make_tls()
        deadline = monotonic() + self._patience.whole_s
        try:
            for _ in range(MOST_REDIRECTS + 1):
                found = self._step(address, tls, most_bytes, deadline)
                if isinstance(found, bytes):
                    return found
                address = _next_address(address, found.location)
        except (httpx2.RequestError, httpx2.InvalidURL, OSError) as error:
            raise UpdateError(
                f"{urlsplit(address).hostname} cannot be reached.",
                "Check the internet connection, then try again.",
                detail=repr(error),
            ) from error
        raise UpdateError("The release feed redirects in circles.", "Try again later.")

    def _step(self, address: str, tls: ssl.SSLContext, most_bytes: int, deadline: float) -> bytes | Elsewhere:
        with (
            httpx2.Client(verify=tls, timeout=self._patience.silence_s, headers=self._headers) as client,
            client.stream("GET", address) as answer,
        ):
            if answer.status_code in REDIRECTS:
                return Elsewhere(answer.headers.get("location", ""))
            if answer.status_code != httpx2.codes.OK:
                raise UpdateError(
                    f"There is no release feed at its address (HTTP {answer.status_code}).", "Try again later."
                )
            return _bounded(answer.iter_raw(), most_bytes, deadline)


class Elsewhere(msgspec.Struct, frozen=True):
    """A redirect."""

    location: str


def _bounded(chunks: Iterator[bytes], most_bytes: int, deadline: float) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > most_bytes:
            raise UpdateError(f"The release feed is too large: more than {most_bytes:,} bytes.", "Try again later.")
        if monotonic() > deadline:
            raise UpdateError("The release feed comes too slowly.", "Check the internet connection, then try again.")
    return bytes(content)


def _next_address(address: str, location: str) -> str:
    target = urljoin(address, location)
    parts = urlsplit(target)
    if not location or not parts.hostname or parts.username is not None or parts.scheme not in {"http", "https"}:
        raise UpdateError("The release feed redirects to nowhere.", "Try again later.", detail=location[:200])
    if parts.scheme != "https":
        raise UpdateError(
            "The release feed redirects to an address without encryption, which is not followed.",
            "Try again later, and from another network.",
            detail=location[:200],
        )
    return target
