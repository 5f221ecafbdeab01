"""The folder with the crash reports: a file each, bounded in number and size, without private data."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from runtime.config.atomic_file import replace_file
from runtime.crash.report import Crash, CrashKind, report_text

FOLDER_NAME = "crashes"
MOST_REPORTS = 20
MAX_FILE_BYTES = 256 * 1024
FILE_NAME = re.compile(rf"(\d{{8}}-\d{{6}})-({'|'.join(CrashKind)})-[0-9a-f]{{8}}\.txt")
TIME_FORM = "%Y%m%d-%H%M%S"


class KeptReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report on the disk: `name` of its file, what crashed and when, and its text."""

    name: str
    kind: CrashKind
    at: datetime
    text: str


class CrashFolder:
    """Writes, lists and deletes reports. Any thread."""

    def __init__(self, logs: Path, without_private_data: Callable[[str], str]) -> None:
        self.folder = logs / FOLDER_NAME
        self._without_private_data = without_private_data

    def keep(self, crash: Crash) -> KeptReport:
        """Write a report; the oldest ones go where there are too many.

        Raises:
            OSError: it cannot be written.
        """
        text = self._without_private_data(report_text(crash))
        name = f"{crash.at.astimezone(UTC):{TIME_FORM}}-{crash.kind}-{os.urandom(4).hex()}.txt"
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_file(self.folder / name, text.encode("utf-8", "replace")[:MAX_FILE_BYTES])
        for old in sorted(self._files(), reverse=True)[MOST_REPORTS:]:
            (self.folder / old).unlink(missing_ok=True)
        return KeptReport(name=name, kind=crash.kind, at=crash.at, text=text)

    def reports(self) -> tuple[KeptReport, ...]:
        """Return the reports that can be read, the newest first."""
        return tuple(self._read(name) for name in sorted(self._files(), reverse=True)[:MOST_REPORTS])

    def delete(self, name: str) -> None:
        """Delete a report; one that is gone already is gone.

        Raises:
            OSError: it cannot be deleted.
        """
        if FILE_NAME.fullmatch(name):
            (self.folder / name).unlink(missing_ok=True)

    def _files(self) -> Iterator[str]:
        """Yield the names of the reports: of regular files that are called as reports are."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                if FILE_NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                    yield path.name

    def _read(self, name: str) -> KeptReport:
        found = FILE_NAME.fullmatch(name)
        if found is None:
            raise ValueError(name)
        try:
            with (self.folder / name).open("rb") as stream:
                text = stream.read(MAX_FILE_BYTES).decode("utf-8", "replace")
        except OSError as error:
            text = f"This report cannot be read: {error.strerror}."
        return KeptReport(name=name, kind=CrashKind(found[2]), at=_moment(found[1]), text=text)


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, TIME_FORM).replace(tzinfo=UTC)
    except ValueError:  # digits that are no date
        return datetime.fromtimestamp(0, UTC)
