"""Whether a release feed was signed by one of the keys that ship with the app: Ed25519, over the feed's very bytes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from runtime.values.errors import UpdateError

MAX_SIGNATURE_BYTES = 200
SIGNATURE_BYTES = 64


def check_signature(content: bytes, signature_text: bytes, public_keys: Iterable[bytes]) -> None:
    """Refuse `content` unless `signature_text` (base64, a line) is its signature by one of `public_keys`.

    Raises:
        UpdateError: the signature is damaged, or of something else, or by another key.
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - most days nobody asks
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - likewise

    signature = _decoded(signature_text)
    for key in public_keys:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
        except InvalidSignature:
            continue
        return
    raise UpdateError(
        "The release feed is not signed by the makers of First Token, so nothing in it is believed.",
        "Try again later, and from another network: something on the way may have changed it.",
    )


def _decoded(text: bytes) -> bytes:
    try:
        signature = base64.b64decode(text.strip(), validate=True)
    except (ValueError, binascii.Error) as error:
        raise _damaged(str(error)) from error
    if len(signature) != SIGNATURE_BYTES:
        raise _damaged(f"{len(signature)} bytes")
    return signature


def _damaged(detail: str) -> UpdateError:
    return UpdateError("The signature of the release feed is damaged.", "Try again later.", detail=detail)
