"""Opening the files of a model, which are hostile input: regular files only, never more than a bounded read.

Header readers take what opens a file as an argument, so that they read a file that is not here just the same.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from runtime.library.defects import broken
from runtime.values.errors import ModelMissingError

MAX_JSON_BYTES = 32_000_000


class ModelStream(Protocol):
    """What header readers need of an open file."""

    def seek(self, offset: int, /) -> int:
        """Go to `offset` and return it."""

    def read(self, count: int, /) -> bytes:
        """Return at most `count` bytes, none at the end of the file."""


OpenModelFile = Callable[[Path], AbstractContextManager[tuple[ModelStream, int]]]
"""Opens a file for reading and gives its size in bytes; raises as `open_model_file` does."""


@contextmanager
def open_model_file(path: Path) -> Iterator[tuple[ModelStream, int]]:
    """Open `path` for reading; yield the stream and the file's size in bytes.

    Raises:
        ModelMissingError: there is no such file.
        ModelBrokenError: it cannot be read, or is a device, a pipe or a folder (opening a pipe could wait for ever).
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise broken(path, "it is not a regular file")
        with path.open("rb", buffering=0) as stream:
            yield stream, status.st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelMissingError(
            f"There is no file {path.name}.", "Check the path, or download the model again.", detail=str(error)
        ) from error
    except (OSError, ValueError) as error:
        raise broken(path, "it cannot be read", str(error)) from error


def read_model_file(path: Path, most_bytes: int) -> bytes:
    """Return the content of `path`.

    Raises:
        UserFacingError: as `open_model_file`, or the file is larger than `most_bytes`.
    """
    with open_model_file(path) as (stream, size):
        if size > most_bytes:
            raise broken(path, f"it takes {size:,} bytes; at most {most_bytes:,} make sense")
        return read_at(stream, path, 0, size)


def read_at(stream: ModelStream, path: Path, offset: int, count: int) -> bytes:
    """Return exactly `count` bytes at `offset`.

    Raises:
        ModelBrokenError: the file ends before them (it may have shrunk since its size was read).
    """
    stream.seek(offset)
    pieces = []
    while count > 0:
        piece = stream.read(count)
        if not piece:
            raise broken(path, "it is cut short")
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def read_json_object(path: Path) -> dict[str, object]:
    """Return the JSON object in `path`.

    Python's own parser, because model configurations hold `Infinity` and `NaN`, which strict parsers refuse.

    Raises:
        UserFacingError: as `read_model_file`, or the content is not a JSON object.
    """
    content = read_model_file(path, MAX_JSON_BYTES)
    try:
        value: object = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise broken(path, "it is not valid JSON", str(error)) from error
    if not isinstance(value, dict):
        raise broken(path, "it does not hold a JSON object")
    return value


def read_json_object_if_there(path: Path) -> dict[str, object]:
    """Return the JSON object in `path`, empty if there is no such file.

    Raises:
        ModelBrokenError: there is one, and it is damaged.
    """
    return read_json_object(path) if path.exists() else {}
