"""What is known of a KV cache on disk without reading it: a small file beside the large one.

The record is written last, so a cache is there as soon as its record is. Both are checked by digests of their own.
"""

from __future__ import annotations

import hashlib

import msgspec

FORM = 2
"""Raise it with every change of the record or of what payloads hold: what was kept before is then removed."""
DIGEST_BYTES = 16


class KvScope(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be the same for a KV cache to be of use.

    Attributes:
        model_key: the model's content; see `model_content`.
        engine: which engine wrote it.
        engine_version: its version, for what it writes is its own.
        settings: what else decides what is in it (bits of an element, ...).
        model_name: what the user calls the model: for people, and no part of the key.
    """

    model_key: str
    engine: str
    engine_version: str
    settings: str
    model_name: str = ""

    @property
    def key(self) -> str:
        """Names of files begin with this."""
        parts = "\0".join((str(FORM), self.model_key, self.engine, self.engine_version, self.settings))
        return hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


class KvRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One KV cache.

    Attributes:
        form: form of the record and its payload.
        scope: for what it is good.
        tokens: the tokens in it.
        layout: how the engine that wrote it reads its payload.
        payload_bytes: size of its payload.
        payload_digest: of its payload; see `checksum`.
        saved_ms: what reading the tokens took, and so what the cache saves.
        created_s: when it was written, in seconds since 1970.
        conversation: the key of the chat that it was written for; "" where that is not known.
    """

    form: int
    scope: KvScope
    tokens: tuple[int, ...]
    layout: str
    payload_bytes: int
    payload_digest: str
    saved_ms: float
    created_s: float
    conversation: str = ""


def encode(record: KvRecord) -> bytes:
    """Return the file for `record`: a line with the digest of the second one, which is JSON."""
    body = msgspec.json.encode(record)
    return _digest(body) + b"\n" + body


def decode(content: bytes) -> KvRecord | None:
    """Return the record in a file; None if it is damaged, or of another form."""
    digest, separator, body = content.partition(b"\n")
    if not separator or digest != _digest(body):
        return None
    try:
        record = msgspec.json.decode(body, type=KvRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return record if record.form == FORM else None


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).hexdigest().encode()
