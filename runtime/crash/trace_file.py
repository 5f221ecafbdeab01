"""The file into which a dying process writes its stacks; that it is there says that the process has not ended well.

It is made when the window's process begins and deleted when it ends. A crash writes the stacks of all threads into it
(`faulthandler`); what kills the process outright leaves it empty.
"""

from __future__ import annotations

import faulthandler
import os
import re
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

FOLDER_NAME = "crashes"
FILE_NAME = re.compile(r"running-(\d{1,10})-(\d{1,12})\.trace")
MAX_FILE_BYTES = 256 * 1024
CLOCK_TOLERANCE_S = 2.0
ENDS_AS_IT_SHOULD = (SystemExit, KeyboardInterrupt)


class DeadProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process that has not ended as it should.

    Attributes:
        began_s: when it began, in seconds since 1970.
        ended_s: when it wrote its stacks; where it wrote none, when it began.
        stacks: what it wrote; empty where it was killed outright.
        outlived_by_system: whether the system has been up ever since: else it was switched off, and nothing crashed.
    """

    began_s: float
    ended_s: float
    stacks: str
    outlived_by_system: bool


class TraceFile:
    """Around the life of a process. A folder that cannot be written to holds nobody up: there is no trace then."""

    def __init__(self, logs: Path) -> None:
        self._file = logs / FOLDER_NAME / f"running-{os.getpid()}-{int(time.time())}.trace"
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._file.open("wb", buffering=0)
            faulthandler.enable(self._stream)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        """Delete the file, unless an error ends the process: then leave its traceback there."""
        if self._stream is None:
            return
        faulthandler.disable()
        is_crash = isinstance(error, Exception) and not isinstance(error, ENDS_AS_IT_SHOULD)
        with suppress(OSError):
            if is_crash:
                self._stream.write("".join(traceback.format_exception(kind, error, stack)).encode("utf-8", "replace"))
            self._stream.close()
            if not is_crash:
                self._file.unlink()


def take_dead_processes(logs: Path) -> Iterator[DeadProcess]:
    """Yield the processes that have not ended as they should, and forget them."""
    with suppress(OSError):
        for file in sorted((logs / FOLDER_NAME).iterdir()):
            found = FILE_NAME.fullmatch(file.name)
            if found is not None and not file.is_symlink() and not _runs(int(found[1]), int(found[2])):
                yield _taken(file, float(found[2]))


def _taken(file: Path, began_s: float) -> DeadProcess:
    with file.open("rb") as stream:
        stacks = stream.read(MAX_FILE_BYTES).decode("utf-8", "replace").strip()
    ended_s = file.stat().st_mtime
    file.unlink()
    return DeadProcess(
        began_s=began_s, ended_s=ended_s, stacks=stacks, outlived_by_system=_up_since_s() <= began_s + CLOCK_TOLERANCE_S
    )


def _runs(pid: int, began_s: int) -> bool:
    """Return whether that very process still runs: its number may be another's by now."""
    import psutil  # noqa: PLC0415 - only where there are traces, and not before the first paint

    try:
        return bool(psutil.Process(pid).create_time() <= began_s + CLOCK_TOLERANCE_S)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def _up_since_s() -> float:
    import psutil  # noqa: PLC0415 - likewise

    return float(psutil.boot_time())
