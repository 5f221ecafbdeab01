"""Where the release feed of this build lies and whose signatures are trusted: `assets/release-feed.json` alone says it.

A build without an address has no feed, and asks nobody.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from runtime.values.errors import UpdateError

FILE_NAME = "release-feed.json"
MAX_FILE_BYTES = 10_000
PUBLIC_KEY_BYTES = 32


class FeedSource(msgspec.Struct, frozen=True):
    """A release feed.

    Attributes:
        address: of the feed; its signature lies at the same address with `.sig` at its end.
        public_keys: Ed25519, raw; a signature of any of them will do, so that a key can be replaced.
    """

    address: str
    public_keys: tuple[bytes, ...]


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    public_keys: tuple[str, ...]


def read_feed_source(assets: Path) -> FeedSource | None:
    """Return the feed of this build; None if it has none.

    Raises:
        UpdateError: the file is missing or damaged, or names an address without encryption or without a key.
    """
    try:
        with (assets / FILE_NAME).open("rb") as stream:
            content = msgspec.json.decode(stream.read(MAX_FILE_BYTES), type=_Content)
        keys = tuple(base64.b64decode(key, validate=True) for key in content.public_keys)
        if not content.address and not keys:
            return None
        parts = urlsplit(content.address)
        is_usable = parts.scheme == "https" and bool(parts.hostname) and bool(keys)
    except (OSError, ValueError, RecursionError, binascii.Error) as error:
        raise _damaged(str(error)) from error
    if not is_usable or any(len(key) != PUBLIC_KEY_BYTES for key in keys):
        raise _damaged(f"address {content.address!r}, {len(keys)} keys")
    return FeedSource(content.address, keys)


def _damaged(detail: str) -> UpdateError:
    return UpdateError(
        f"{FILE_NAME}, which ships with the app, is missing or damaged.", "Reinstall First Token.", detail=detail
    )
