"""The queue of downloads on disk, so that closing the app, or losing power, keeps it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from runtime.config.atomic_file import replace_file
from runtime.download.part_file import disk_errors
from runtime.download.plan import DownloadPlan
from runtime.download.status import DownloadState
from runtime.values.errors import ErrorReport

VERSION = 1
MAX_BYTES = 64_000_000


class KeptDownload(msgspec.Struct, frozen=True):
    """A download that was not done: what it fetches, what the user wanted of it, and why it failed if it did."""

    plan: DownloadPlan
    state: DownloadState
    error: ErrorReport | None = None


class _Content(msgspec.Struct, frozen=True):
    version: int
    downloads: tuple[KeptDownload, ...]


def read_queue(file: Path) -> tuple[KeptDownload, ...]:
    """Return the downloads in `file`, none if there is no such file.

    A file that cannot be understood, or that another version wrote, is put aside (".broken" behind its name): the
    partial downloads themselves say what they are.

    Raises:
        DownloadError: the disk refuses.
    """
    with disk_errors(file):
        try:
            with file.open("rb") as stream:
                content = msgspec.json.decode(stream.read(MAX_BYTES), type=_Content)
        except FileNotFoundError:
            return ()
        except (msgspec.MsgspecError, ValueError):
            content = None
        if content is None or content.version != VERSION:
            file.replace(file.with_name(f"{file.name}.broken"))
            return ()
    return content.downloads


def write_queue(file: Path, downloads: tuple[KeptDownload, ...]) -> None:
    """Write `downloads` to `file`, all of them or nothing.

    Raises:
        DownloadError: the disk refuses.
    """
    content = msgspec.json.encode(_Content(VERSION, downloads))
    with disk_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, content)
