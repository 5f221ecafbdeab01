"""A file that is not all here yet: "NAME.part", written only at its end, hashed as it grows.

Its length says how far it is, so a process that is killed at any moment loses nothing that was written. What a power
cut may leave wrong, the hash at the end finds.
"""

from __future__ import annotations

import errno
import hashlib
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
READ_BYTES = 1 << 20
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
            self._descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o644)
            status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise DownloadError(f"{shown(self._part)} is no file.", "Remove it, then try again.")

    def check(self, go_on: Callable[[], bool]) -> None:
        """Read and hash what is here, as long as `go_on` says so.

        Raises:
            DownloadError: it cannot be read.
        """
        with disk_errors(self._part):
            if os.fstat(self._descriptor).st_size > self._file.size_bytes:
                os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            while go_on() and (data := os.read(self._descriptor, READ_BYTES)):
                self._hash.update(data)
                self.length += len(data)

    def append(self, data: bytes) -> None:
        """Write `data` behind what is here.

        Raises:
            WrongContentError: that is more than the file holds.
            DownloadError: the disk is full, or fails.
        """
        if self.length + len(data) > self._file.size_bytes:
            raise WrongContentError(
                f"{shown(self._file.target)} is longer than the Hub says.", "Try again later, or choose another model."
            )
        place = self.length
        with disk_errors(self._part):
            try:
                while self.length < place + len(data):
                    self.length += os.write(self._descriptor, memoryview(data)[self.length - place :])
            finally:
                self._hash.update(data[: self.length - place])

    def restart(self) -> None:
        """Drop all that is here.

        Raises:
            DownloadError: the disk fails.
        """
        with disk_errors(self._part):
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
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
            os.fsync(self._descriptor)
        self.close()
        with disk_errors(self._path):
            self._part.replace(self._path)

    def close(self) -> None:
        """Close the file; what is here stays. Idempotent."""
        self._hash.close()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

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
