"""Token ids to text as they come, one at a time, holding back only what is not a whole character yet.

Almost every tokenizer maps a token to bytes whatever stands around it; then the text is the UTF-8 of those bytes, and a
token costs the same at any length. For the rest, a short window of tokens is decoded again for each token.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from typing import Protocol

from tokenizers import Tokenizer

WORD_BOUNDARY = "\u2581"
BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
REPLACEMENT = "\ufffd"
MAX_CHARACTER_BYTES = 4

_SENTENCEPIECE_STEPS = (
    {"type": "Replace", "pattern": {"String": WORD_BOUNDARY}, "content": " "},
    {"type": "ByteFallback"},
    {"type": "Fuse"},
)
_STRIP_FIRST_SPACE = {"type": "Strip", "content": " ", "start": 1, "stop": 0}


class Detokenizer(Protocol):
    """The text of one reply."""

    def feed(self, token_id: int) -> str:
        """Return the text that the next token completes; often empty, never half a character."""
        ...

    def flush(self) -> str:
        """Return what is left at the end: replacement characters where bytes of a character are missing."""
        ...


class TokenText:
    """The text of a vocabulary's tokens. One for each loaded model; what it learns of a token, it keeps."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        decoder: object = json.loads(tokenizer.decoder.__getstate__()) if tokenizer.decoder else None
        self._to_bytes, self._strips_first_space = _byte_rule(decoder)
        self._known: dict[int, bytes] = {}

    def detokenizer(self) -> Detokenizer:
        """Return a detokenizer for one reply."""
        if self._to_bytes is None:
            return WindowDetokenizer(self._decode)
        return ByteDetokenizer(self.bytes_of, strips_first_space=self._strips_first_space)

    def text_of(self, token_id: int) -> str:
        """Return the text of a token by itself."""
        if self._to_bytes is None:
            return self._decode([token_id])
        return self.bytes_of(token_id).decode("utf-8", "replace")

    def bytes_of(self, token_id: int) -> bytes:
        """Return the bytes of a token; none for an id beyond the tokenizer (models pad their vocabulary)."""
        known = self._known.get(token_id)
        if known is None:
            token = self._tokenizer.id_to_token(token_id)
            known = self._to_bytes(token) if token is not None and self._to_bytes is not None else b""
            self._known[token_id] = known
        return known

    def _decode(self, token_ids: list[int]) -> str:
        return self._tokenizer.decode(token_ids, skip_special_tokens=False)


class ByteDetokenizer:
    """For vocabularies whose tokens are bytes."""

    def __init__(self, bytes_of: Callable[[int], bytes], *, strips_first_space: bool) -> None:
        self._bytes_of = bytes_of
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._strips_space = strips_first_space

    def feed(self, token_id: int) -> str:
        """See `Detokenizer.feed`."""
        return self._stripped(self._utf8.decode(self._bytes_of(token_id)))

    def flush(self) -> str:
        """See `Detokenizer.flush`."""
        return self._stripped(self._utf8.decode(b"", final=True))

    def _stripped(self, text: str) -> str:
        if self._strips_space and text:
            self._strips_space = False
            return text.removeprefix(" ")
        return text


class WindowDetokenizer:
    """For any other vocabulary: decodes the tokens since the last whole character together with those before it.

    The method of vLLM and text-generation-inference: the text of a token may depend on its neighbour, so the new text
    is the difference between decoding the window with and without the new tokens.
    """

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._before: list[int] = []
        self._pending: list[int] = []

    def feed(self, token_id: int) -> str:
        """See `Detokenizer.feed`."""
        self._pending.append(token_id)
        text = self._text()
        if (not text or text.endswith(REPLACEMENT)) and len(self._pending) < MAX_CHARACTER_BYTES:
            return ""
        self._before, self._pending = self._pending, []
        return text

    def flush(self) -> str:
        """See `Detokenizer.flush`."""
        text = self._text() if self._pending else ""
        self._before, self._pending = self._pending, []
        return text

    def _text(self) -> str:
        return self._decode(self._before + self._pending)[len(self._decode(self._before)) :]


def _byte_rule(decoder: object) -> tuple[Callable[[str], bytes] | None, bool]:
    """Return how a token of this decoder becomes bytes, if that is all it does, and whether a first space goes."""
    match decoder:
        case {"type": "ByteLevel"}:
            return _byte_level_bytes, False
        case {"type": "Sequence", "decoders": [*steps]}:
            rest = steps[len(_SENTENCEPIECE_STEPS) :]
            if tuple(steps[: len(_SENTENCEPIECE_STEPS)]) == _SENTENCEPIECE_STEPS and rest in ([], [_STRIP_FIRST_SPACE]):
                return _sentencepiece_bytes, bool(rest)
    return None, False


def _byte_level_alphabet() -> dict[str, int]:
    """Return the printable stand-ins that byte-level BPE writes for bytes (GPT-2's encoder.py)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + index): byte for index, byte in enumerate(others)}


BYTE_OF_CHARACTER = _byte_level_alphabet()


def _byte_level_bytes(token: str) -> bytes:
    """Return the bytes that `token` stands for; added tokens with other characters stand for themselves."""
    try:
        return bytes([BYTE_OF_CHARACTER[character] for character in token])
    except KeyError:
        return token.encode()


def _sentencepiece_bytes(token: str) -> bytes:
    byte = BYTE_TOKEN.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace(WORD_BOUNDARY, " ").encode()
