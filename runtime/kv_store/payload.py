"""What is written of a KV cache: pieces of memory, or a file that an engine writes by itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from runtime.kv_store.checksum import BLOCK_BYTES, Buffer, Checksum


class Interrupted(Exception):  # noqa: N818 - it is no error
    """Writing was told to stop."""


class Written(NamedTuple):
    """What came to the disk.

    Attributes:
        nbytes: size of the file.
        digest: its checksum; see `checksum`.
        further_tokens: what turned out to be in it beyond the tokens that were expected.
    """

    nbytes: int
    digest: str
    further_tokens: tuple[int, ...] = ()


class PayloadSource(Protocol):
    """A payload on its way to the disk."""

    @property
    def nbytes(self) -> int:
        """What it will take, or nearly: room is made for so much before it is written."""
        ...

    @property
    def blocking_s(self) -> float:
        """How long writing it keeps the engine from everything else; 0 where it does not."""
        ...

    def write(self, path: Path, should_stop: Callable[[], bool]) -> Written:
        """Write it to the new file `path`, which only this user can read.

        Raises:
            Interrupted: `should_stop` said so.
            OSError: it cannot be written.
        """
        ...


class Pieces:
    """A payload in memory, which nobody changes meanwhile.

    Args:
        nbytes: size of all pieces together.
        pieces: the payload, piece by piece; contiguous buffers of bytes.
    """

    blocking_s = 0.0

    def __init__(self, nbytes: int, pieces: Iterable[Buffer]) -> None:
        self.nbytes = nbytes
        self._pieces = pieces

    def write(self, path: Path, should_stop: Callable[[], bool]) -> Written:
        """See `PayloadSource.write`; it stops between two pieces.

        What is written is not forced to the disk: after a power cut the checksum tells, and the prompt is read again.
        """
        checksum = Checksum()
        block = bytearray(min(BLOCK_BYTES, max(self.nbytes, 1)))
        filled = written = 0
        with new_private_file(path) as stream:
            for piece in self._pieces:
                rest = memoryview(piece)
                while rest:
                    if should_stop():
                        raise Interrupted
                    taken = min(len(rest), len(block) - filled)
                    block[filled : filled + taken] = rest[:taken]
                    filled, rest = filled + taken, rest[taken:]
                    if filled == BLOCK_BYTES:
                        written += _flush(stream, checksum, memoryview(block))
                        filled = 0
            written += _flush(stream, checksum, memoryview(block)[:filled])
        if written != self.nbytes:
            raise ValueError(f"{written} bytes came instead of {self.nbytes}")
        return Written(written, checksum.hexdigest())


def new_private_file(path: Path) -> BinaryIO:
    """Open a new file that only this user can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)


def write_all(stream: BinaryIO, view: memoryview) -> None:
    """Write all of `view`; a single call may write less."""
    while view:
        view = view[stream.write(view) :]


def _flush(stream: BinaryIO, checksum: Checksum, block: memoryview) -> int:
    if block:
        write_all(stream, block)
        checksum.add(block)
    return len(block)
