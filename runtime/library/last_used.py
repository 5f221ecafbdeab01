"""When each model was last loaded: a small file beside the chats, written at every load.

It is a convenience for people who look what may go: a file that cannot be understood counts as empty.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from runtime.config.atomic_file import replace_file
from runtime.config.paths import AppPaths
from runtime.values.errors import StoreError

FILE_NAME = "models-used.json"
MAX_FILE_BYTES = 1_000_000
MAX_ENTRIES = 1000
FORM = 1


class _Content(msgspec.Struct, frozen=True):
    form: int
    used: dict[str, datetime]


def read_last_used(paths: AppPaths) -> dict[Path, datetime]:
    """Return when models were last loaded, by path."""
    return {Path(path): when for path, when in _read(paths.data / FILE_NAME).items()}


def record_use(paths: AppPaths, model: Path, when: datetime | None = None) -> None:
    """Note that the model at `model` was loaded at `when`, which is now if it is not said.

    Raises:
        StoreError: the file cannot be written.
    """
    file = paths.data / FILE_NAME
    used = _read(file)
    used[str(model)] = when or datetime.now(UTC)
    latest = sorted(used.items(), key=lambda entry: entry[1])[-MAX_ENTRIES:]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, msgspec.json.encode(_Content(FORM, dict(latest))))
    except (OSError, UnicodeEncodeError) as error:
        raise StoreError(
            f"The file {file} cannot be written.", "Check the folder's permissions and free space.", detail=str(error)
        ) from error


def _read(file: Path) -> dict[str, datetime]:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        kept = msgspec.json.decode(content, type=_Content)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return {path: when if when.tzinfo else when.replace(tzinfo=UTC) for path, when in kept.used.items()}
