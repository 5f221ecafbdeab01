"""A disk of a few megabytes that a test can fill and write-protect. For root, on Linux."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SIZE = "3m"


class SmallDisk:
    """What is mounted at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """Leave no room for another byte."""
        with (self.folder / "ballast").open("ab", buffering=0) as stream:
            for size in (1 << 20, 1 << 12, 1):
                while _written(stream.fileno(), bytes(size)):
                    pass

    def free(self) -> None:
        """Make room again."""
        (self.folder / "ballast").unlink()

    def protect(self, *, is_protected: bool = True) -> None:
        """Let nobody write, or everybody again."""
        _mount("-o", "remount,ro" if is_protected else "remount,rw", str(self.folder))


@contextmanager
def mounted_disk(folder: Path) -> Iterator[SmallDisk]:
    """Mount a small disk at `folder`; skip the test where that is not allowed."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root on Linux")
    folder.mkdir(parents=True)
    try:
        _mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no disk can be mounted here: {error.stderr}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)


def _written(descriptor: int, content: bytes) -> bool:
    try:
        return os.write(descriptor, content) == len(content)
    except OSError:
        return False
