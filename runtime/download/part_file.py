"""A file that is not all here yet: "NAME.part", written only at its end, hashed as it grows.

Its length says how far it is, so a process that is killed at any moment loses nothing that was written. What a power
cut may leave wrong, the hash at the end finds.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.download.plan import PlannedFile
from runtime.download.running_hash import RunningHash
from runtime.library.defects import shown
from runtime.values.errors import DownloadError

PART_SUFFIX = ".part"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class WrongContentError(DownloadError):
    """What came is not what the Hub listed: another size, another hash, another state of the file."""


class PartFile:
    """The part of `file` that is here; it is at `path` with ".part" behind its name until `finish`."""

    def __init__(self, path: Path, file: PlannedFile) -> None:
        """Open what an earlier run left, or begin.

        Raises:
            DownloadError: the file cannot be opened, or something else is in its place.
        """
        self._path = path
        self._part = path.with_name(path.name + PART_SUFFIX)
        self._file = file
        self._hash = self._fresh_hash()
        self.length = 0
        with disk_errors(self._part):
            self._part.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o644)
            self._stream = io.FileIO(descriptor, "r+b")
            status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise DownloadError(f"{shown(self._part)} is no file.", "Remove it, then try again.")

    def check(self, go_on: Callable[[], bool]) -> None:
        """Read and hash what is here, as long as `go_on` says so.

        Raises:
            DownloadError: it cannot be read.
        """
        with disk_errors(self._part):
            if os.fstat(self._stream.fileno()).st_size > self._file.size_bytes:
                self._stream.truncate(0)
            self._stream.seek(0)
            while go_on() and (count := self._stream.readinto(self._hash.space())):
                self._hash.take(count)
                self.length += count

    def space(self) -> memoryview:
        """Return where the next bytes are to be put before `take`; empty once all are here."""
        return self._hash.space()[: self._file.size_bytes - self.length]

    def take(self, count: int) -> None:
        """Write the first `count` bytes of `space` behind what is here.

        Raises:
            DownloadError: the disk is full, or fails.
        """
        data = self._hash.space()[:count]
        with disk_errors(self._part):
            while data:
                written = self._stream.write(data)
                self.length += written
                data = data[written:]
        self._hash.take(count)

    def restart(self) -> None:
        """Drop all that is here.

        Raises:
            DownloadError: the disk fails.
        """
        with disk_errors(self._part):
            self._stream.truncate(0)
            self._stream.seek(0)
        self._hash.close()
        self._hash = self._fresh_hash()
        self.length = 0

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are here."""
        return self.length == self._file.size_bytes

    def finish(self) -> None:
        """Check the content, see it safely to the disk, and give it its name.

        Raises:
            WrongContentError: it is not what the Hub listed; nothing of it is kept.
            DownloadError: the disk is full, or fails.
        """
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
        self._hash.close()
        self._stream.close()

    def _fresh_hash(self) -> RunningHash:
        if self._file.sha256:
            return RunningHash(hashlib.sha256())
        return RunningHash(hashlib.sha1(b"blob %d\0" % self._file.size_bytes, usedforsecurity=False))  # git's way


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
