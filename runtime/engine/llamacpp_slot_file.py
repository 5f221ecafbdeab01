"""The head of a slot file, which llama-server writes: the tokens in it. The rest is llama.cpp's own.

    magic "ggsq", version, count: 32 bits each, little endian; then `count` token ids of 32 bits

Newer servers wrap the tokens up, so that images fit in among them: -1, the version of that form, the number of tokens,
the tokens, and a part for images, which is 0 where there are none.
"""

from __future__ import annotations

import struct
from pathlib import Path

MAGIC = 0x67677371
HEAD = struct.Struct("<3I")
TOKEN_BYTES = 4
WRAPPED = -1
WRAPPED_VERSION = 1
WRAPPED_HEAD_TOKENS = 3
NO_IMAGES = 0
MOST_TOKENS = 1 << 26


def read_slot_tokens(path: Path) -> tuple[int, ...]:
    """Return the tokens in the slot file at `path`.

    Raises:
        ValueError: it is no slot file of a form that is known, or holds more than text.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD.size)
        if len(head) < HEAD.size:
            raise ValueError("no slot file: it ends within its head")
        magic, _, count = HEAD.unpack(head)
        if magic != MAGIC or count > MOST_TOKENS:
            raise ValueError("no slot file")
        content = stream.read(count * TOKEN_BYTES)
    if len(content) < count * TOKEN_BYTES:
        raise ValueError("a slot file that ends within its tokens")
    return _unwrapped(struct.unpack(f"<{count}i", content))


def _unwrapped(packed: tuple[int, ...]) -> tuple[int, ...]:
    if packed[:1] != (WRAPPED,):
        return packed
    head, rest = packed[:WRAPPED_HEAD_TOKENS], packed[WRAPPED_HEAD_TOKENS:]
    if len(head) < WRAPPED_HEAD_TOKENS or head[1] != WRAPPED_VERSION or len(rest) != head[2] + 1:
        raise ValueError(f"tokens in a form that is not known: {packed[:8]}")
    if rest[-1] != NO_IMAGES:
        raise ValueError("not only text")
    return rest[:-1]
