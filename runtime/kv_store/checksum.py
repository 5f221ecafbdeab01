"""A checksum as fast as memory, for files of gigabytes that are read before every use.

It finds damage, not forgery: whoever can write into the user's own folder need not bother to forge. The file is cut
into blocks, and a block into rows of 521 words of 64 bits, which are added up column by column; the digest is BLAKE2b
of all sums and of the file's length. Any one changed bit, byte or word changes a sum; blocks that changed places
change the order of the sums; and since 521 is prime, pages and sectors that changed places fall into other columns.
"""

from __future__ import annotations

import hashlib
import mmap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np

COLUMNS = 521
ROWS = 2048
WORD_BYTES = 8
BLOCK_BYTES = ROWS * COLUMNS * WORD_BYTES
"""About 8.5 MB."""
DIGEST_BYTES = 16
THREADS = 4

Buffer = bytes | bytearray | memoryview


class Checksum:
    """Takes a file block by block; all blocks but the last one must have `BLOCK_BYTES`."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self._length = 0

    def add(self, block: Buffer) -> None:
        """Take the next block."""
        self.add_sums(block_sums(block), len(block))

    def add_sums(self, sums: bytes, length: int) -> None:
        """Take the next block, `length` bytes of which `block_sums` are known."""
        self._hash.update(sums)
        self._length += length

    def hexdigest(self) -> str:
        """Return the checksum of all blocks so far."""
        total = self._hash.copy()
        total.update(str(self._length).encode())
        return total.hexdigest()


def block_sums(block: Buffer) -> bytes:
    """Return the sums of a block's columns, and its last bytes as they are if they do not fill a row."""
    view = memoryview(block)
    rows = len(view) // (COLUMNS * WORD_BYTES)
    whole = rows * COLUMNS * WORD_BYTES
    words = np.frombuffer(view[:whole], dtype="<u8").reshape(rows, COLUMNS)
    sums: bytes = np.add.reduce(words, axis=0, dtype=np.uint64).astype("<u8").tobytes()
    return sums + bytes(view[whole:])


def file_checksum(path: Path) -> str:
    """Return the checksum of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        length = stream.seek(0, 2)
        return _mapped_checksum(stream, length) if length else Checksum().hexdigest()


def _mapped_checksum(stream: BinaryIO, length: int) -> str:
    checksum = Checksum()
    with mmap.mmap(stream.fileno(), length, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
        starts = range(0, length, BLOCK_BYTES)

        def sums_at(start: int) -> bytes:
            with view[start : start + BLOCK_BYTES] as block:
                return block_sums(block)

        with ThreadPoolExecutor(THREADS) as pool:
            for start, sums in zip(starts, pool.map(sums_at, starts), strict=True):
                checksum.add_sums(sums, min(BLOCK_BYTES, length - start))
    return checksum.hexdigest()
