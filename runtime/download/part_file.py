"""A file that is not all here yet: "NAME.part", written only at its end, hashed as time allows.

Its length says how far it is, so a process that is killed at any moment loses nothing that was written. What a power
cut may leave wrong, the hash at the end finds.

Hashing is for the moments in which the line has nothing: it takes as long as writing does, and on a line as fast as
the disk it would cost a third of the speed. What has not been hashed by then, of this run or of an earlier one, is read
back at the end.

The system writes to the disk when it pleases, which for a file of a gigabyte is at the end, when all wait for it. So,
in the same moments, it is told to begin.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime.download.plan import PlannedFile
from runtime.library.defects import shown
from runtime.values.errors import DownloadError

PART_SUFFIX = ".part"
BUFFER_BYTES = 1 << 18
"""Of the sizes tried, from 64 KB to 1 MB, the one that costs least: it stays in the processor's cache."""
SETTLE_BYTES = 1 << 25
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class WrongContentError(DownloadError):
    """What came is not what the Hub listed: its hash differs."""


class PartFile:
    """The part of `file` that is here; it is at `path` with ".part" behind its name until `finish`.

    Attributes:
        length: bytes that are here.
    """

    def __init__(self, path: Path, file: PlannedFile) -> None:
        """Open what an earlier run left, or begin.

        Raises:
            DownloadError: the file cannot be opened, or something else is in its place.
        """
        self._path = path
        self._part = path.with_name(path.name + PART_SUFFIX)
        self._file = file
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._hash, self._hashed = self._fresh_hash(), 0
        with disk_errors(self._part):
            self._part.parent.mkdir(parents=True, exist_ok=True)
            self._stream = io.FileIO(os.open(self._part, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o644), "r+b")
            status = os.fstat(self._stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise DownloadError(f"{shown(self._part)} is no file.", "Remove it, then try again.")
        self.length = self._settling = status.st_size
        if self.length > file.size_bytes:
            self.restart()

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are here."""
        return self.length == self._file.size_bytes

    @property
    def unhashed(self) -> int:
        """Bytes that are here and have not been hashed."""
        return self.length - self._hashed

    def hash_some(self) -> None:
        """Read back and hash some of what has not been.

        Raises:
            DownloadError: it cannot be read.
        """
        with disk_errors(self._part):
            self._stream.seek(self._hashed)
            count = self._stream.readinto(self._buffer[: self.unhashed]) or 0
        if count == 0:
            raise DownloadError(
                f"{shown(self._part.name)} was cut short by another program.", "Try again: what is missing is fetched."
            )
        self._hash.update(self._buffer[:count])
        self._hashed += count
        if self._hashed - self._settling >= SETTLE_BYTES:
            self._settle()

    def space(self) -> memoryview:
        """Return where the next bytes are to be put before `take`; empty once all are here."""
        return self._buffer[: self._file.size_bytes - self.length]

    def take(self, count: int) -> None:
        """Write the first `count` bytes of `space` behind what is here.

        Raises:
            DownloadError: the disk is full, or fails.
        """
        data = self._buffer[:count]
        with disk_errors(self._part):
            self._stream.seek(self.length)
            while data:
                written = self._stream.write(data)
                self.length += written
                data = data[written:]

    def restart(self) -> None:
        """Drop all that is here.

        Raises:
            DownloadError: the disk fails.
        """
        with disk_errors(self._part):
            self._stream.truncate(0)
        self._hash, self._hashed = self._fresh_hash(), 0
        self.length = self._settling = 0

    def finish(self) -> None:
        """Check the content, see it safely to the disk, and give it its name.

        Raises:
            WrongContentError: it is not what the Hub listed; nothing of it is kept.
            DownloadError: the disk is full, or fails.
        """
        while self.unhashed:
            self.hash_some()
        if self._hash.hexdigest() != (self._file.sha256 or self._file.git_id):
            self.restart()
            raise WrongContentError(
                f"{shown(self._file.target)} did not arrive as the Hub has it: its hash differs.",
                "Try again; if it happens again, check the proxy and HF_ENDPOINT.",
            )
        with disk_errors(self._part):
            os.fsync(self._stream.fileno())
        self.close()
        with disk_errors(self._path):
            self._part.replace(self._path)

    def close(self) -> None:
        """Close the file; what is here stays. Idempotent."""
        self._stream.close()

    def _settle(self) -> None:
        """Have the system begin to write to the disk what has been hashed; it goes on by itself.

        On Linux, saying that pages will not be needed does that; they stay in memory, because they are not written yet.
        """
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):  # advice, which a file system need not take
                count = self._hashed - self._settling
                os.posix_fadvise(self._stream.fileno(), self._settling, count, os.POSIX_FADV_DONTNEED)
        self._settling = self._hashed

    def _fresh_hash(self) -> hashlib._Hash:
        if self._file.sha256:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self._file.size_bytes, usedforsecurity=False)  # git's way


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the disk refuses to do with `path` into errors of this product.

    Raises:
        DownloadError: no space is left, or the file cannot be written or read.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DownloadError(
                "The disk is full.", "Free some space, then try again: nothing is lost.", detail=str(error)
            ) from error
        raise DownloadError(
            f"{shown(path.name)} cannot be written in the models folder.",
            "Check the folder, its permissions and the disk, then try again.",
            detail=str(error),
        ) from error
