"""Looking through a folder for models, whatever lies in it. Opens no file.

A models folder is hostile as any input: links in circles, links to nothing, folders that may not be read, whole disks.
Depth and number of entries are bounded, a link to a folder is looked at but never gone down, and what cannot be read
counts as empty.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

import msgspec

from runtime.library.gguf_spec import PART_NAME
from runtime.library.mlx_spec import CONFIG_FILE, WEIGHTS_PATTERN
from runtime.values.model import ModelFormat

GGUF_SUFFIX = ".gguf"
VISION_PREFIX = "mmproj"
MAX_DEPTH = 3
MAX_ENTRIES = 20_000
"""Folder entries looked at in one models folder: enough for any collection, and an end for a whole disk."""


Entries = Mapping[str, "os.DirEntry[str]"]
"""What lies in a folder, by name."""


class ScannedFile(msgspec.Struct, frozen=True):
    """A file of a model: its name in the model's folder, size, and when it was last changed."""

    name: str
    size_bytes: int
    modified_ns: int


class ScannedModel(msgspec.Struct, frozen=True, kw_only=True):
    """What looks like a model.

    Attributes:
        path: the MLX directory, or the (first) GGUF file.
        format: which of the two.
        files: the files it consists of: all right in the directory, or the parts of the GGUF file.
    """

    path: Path
    format: ModelFormat
    files: tuple[ScannedFile, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of its files."""
        return sum(file.size_bytes for file in self.files)


def scan(folder: Path) -> Iterator[ScannedModel]:
    """Yield the models below `folder`, and the GGUF files right in it; what is right in it makes it no MLX model."""
    left = MAX_ENTRIES
    waiting = [(folder, 0)]
    while waiting and left > 0:
        here, depth = waiting.pop()
        entries = _entries(here, left)
        left -= len(entries)
        found = _gguf_models(here, entries) if here == folder else _models_of(here, entries)
        yield from found
        if depth == MAX_DEPTH or any(model.format is ModelFormat.MLX for model in found):
            continue
        waiting += [(here / name, depth + 1) for name in sorted(entries, reverse=True) if _is_folder(entries[name])]
        for name in filter(lambda name: _leads_out(entries[name], folder), sorted(entries)):
            linked = _entries(here / name, left)
            left -= len(linked)
            yield from _models_of(here / name, linked)


def model_at(path: Path) -> ScannedModel | None:
    """Return the model at `path`: an MLX directory, or a GGUF file of any name; None if there is none."""
    if path.is_dir():
        found = _models_of(path, _entries(path, MAX_ENTRIES))
        return next((model for model in found if model.format is ModelFormat.MLX), None)
    if PART_NAME.fullmatch(path.name):
        return next(
            (model for model in _gguf_models(path.parent, _entries(path.parent, MAX_ENTRIES)) if model.path == path),
            None,
        )
    status = _status(path)
    if status is None:
        return None
    file = ScannedFile(path.name, status.st_size, status.st_mtime_ns)
    return ScannedModel(path=path, format=ModelFormat.GGUF, files=(file,))


def has_model_name(name: str) -> bool:
    """Return whether `name` is that of a GGUF model: of a model in parts the first, and no vision part."""
    part = PART_NAME.fullmatch(name)
    is_first = part is None or int(part[2]) == 1
    return name.lower().endswith(GGUF_SUFFIX) and is_first and not name.lower().startswith(VISION_PREFIX)


def _models_of(folder: Path, entries: Entries) -> list[ScannedModel]:
    """Return the models right in `folder`: the folder itself, or the GGUF files in it."""
    if CONFIG_FILE in entries and any(fnmatchcase(name, WEIGHTS_PATTERN) for name in entries):
        files = tuple(_files(entries[name] for name in sorted(entries)))
        return [ScannedModel(path=folder, format=ModelFormat.MLX, files=files)]
    return _gguf_models(folder, entries)


def _gguf_models(folder: Path, entries: Entries) -> list[ScannedModel]:
    named = (name for name in sorted(entries) if has_model_name(name))
    models = (_gguf_model(folder / name, entries) for name in named)
    return [model for model in models if model.files]


def _gguf_model(file: Path, entries: Entries) -> ScannedModel:
    part = PART_NAME.fullmatch(file.name)
    names = [file.name] if part is None else [name for name in sorted(entries) if _is_part_of(part[1], part[3], name)]
    files = tuple(_files(entries[name] for name in names))
    return ScannedModel(path=file, format=ModelFormat.GGUF, files=files)


def _is_part_of(model: str, count: str, name: str) -> bool:
    part = PART_NAME.fullmatch(name)
    return part is not None and (part[1], part[3]) == (model, count)


def _entries(folder: Path, most: int) -> dict[str, os.DirEntry[str]]:
    """Return what is in `folder`, at most `most` entries; nothing if it cannot be read."""
    try:
        with os.scandir(folder) as listing:
            return {entry.name: entry for entry in islice(listing, most)}
    except OSError:
        return {}


def _files(entries: Iterator[os.DirEntry[str]]) -> Iterator[ScannedFile]:
    """Yield the regular files among `entries`, links to them included."""
    for entry in entries:
        status = _status(entry)
        if status is not None:
            yield ScannedFile(entry.name, status.st_size, status.st_mtime_ns)


def _status(file: os.DirEntry[str] | Path) -> os.stat_result | None:
    """Return what the system says of a regular file; None for anything else."""
    try:
        status = file.stat()
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _leads_out(entry: os.DirEntry[str], root: Path) -> bool:
    """Return whether `entry` is a link to a folder that is neither in `root` nor holds it."""
    try:
        if entry.name.startswith(".") or not entry.is_symlink() or not entry.is_dir():
            return False
        target, home = Path(entry.path).resolve(), root.resolve()
    except (OSError, RuntimeError):
        return False
    return not target.is_relative_to(home) and not home.is_relative_to(target)
