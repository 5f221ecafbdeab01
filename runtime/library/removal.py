"""Removing models: what lies in the app's own models folder is deleted, anything else only forgotten.

A link in the models folder is removed, and what it leads to is left alone: it is not the app's.
"""

from __future__ import annotations

import stat
from pathlib import Path
from shutil import rmtree
from typing import assert_never

import msgspec

from runtime.config.paths import AppPaths
from runtime.config.settings import Settings
from runtime.library.defects import shown
from runtime.library.in_place import forget
from runtime.library.installed import InstalledModel, ModelOrigin
from runtime.library.mlx_spec import CONFIG_FILE
from runtime.values.errors import LibraryError
from runtime.values.model import ModelFormat

DOWNLOADED_FOLDERS = ("additional_chat_templates", ".cache")
"""Folders in a model's own that came with it; others stay, whatever they hold."""


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """What removing a model came to.

    Attributes:
        name: what it was called.
        path: where it was, or still is.
        is_deleted: whether its files are gone; otherwise they are where they were, and the app has forgotten them.
        freed_bytes: disk space that is free again; 0 for what was only forgotten.
        settings: the settings without it.
    """

    name: str
    path: Path
    is_deleted: bool
    freed_bytes: int
    settings: Settings


def will_be_deleted(model: InstalledModel, paths: AppPaths) -> bool:
    """Return whether removing `model` deletes its files, and not merely forgets them or removes a link to them."""
    return model.origin is ModelOrigin.OWN and _link_to(model.path, paths.models) is None


def remove_model(model: InstalledModel, paths: AppPaths, settings: Settings) -> Removal:
    """Remove `model`; the settings that come back are to be written.

    Raises:
        LibraryError: it is the demo model, none of the list's, or its files cannot be deleted.
    """
    match model.origin:
        case ModelOrigin.OWN:
            link = _link_to(model.path, paths.models)
            freed = _deleted(model, paths.models) if link is None else _unlinked(model, link)
            return _removal(model, settings, freed_bytes=freed, is_deleted=link is None)
        case ModelOrigin.ADDED | ModelOrigin.FOLDER:
            return _removal(model, forget(model, settings))
        case ModelOrigin.DEMO:
            raise LibraryError("The demo model belongs to First Token.", "Choose another model to remove.")
        case ModelOrigin.ELSEWHERE:
            raise LibraryError(
                f"{shown(model.name)} is not in the list of models.", "Remove it where it was downloaded."
            )
        case _:
            assert_never(model.origin)


def _removal(model: InstalledModel, settings: Settings, *, freed_bytes: int = 0, is_deleted: bool = False) -> Removal:
    return Removal(name=model.name, path=model.path, is_deleted=is_deleted, freed_bytes=freed_bytes, settings=settings)


def _link_to(path: Path, models: Path) -> Path | None:
    """Return the link on the way from the folder `models` to `path`, `path` included; None if there is none."""
    step = models
    for part in path.relative_to(models).parts:
        step /= part
        if step.is_symlink():
            return step
    return None


def _unlinked(model: InstalledModel, link: Path) -> int:
    try:
        link.unlink()
    except OSError as error:
        raise _not_removed(model, error) from error
    return 0


def _deleted(model: InstalledModel, models: Path) -> int:
    """Delete the model's files, then the folders that this leaves empty; return the bytes freed.

    What makes it a model goes last, so that one whose removal was interrupted is still listed.
    """
    folder = model.path if model.format is ModelFormat.MLX else model.path.parent
    last = CONFIG_FILE if model.format is ModelFormat.MLX else model.path.name
    try:
        freed = sum(_delete_file(folder / name) for name in _names(model) if name != last)
        if model.format is ModelFormat.MLX:
            for name in DOWNLOADED_FOLDERS:
                if (folder / name).is_dir() and not (folder / name).is_symlink():
                    rmtree(folder / name)
        freed += _delete_file(folder / last)
        _remove_empty(folder, models)
    except OSError as error:
        raise _not_removed(model, error) from error
    return freed


def _names(model: InstalledModel) -> list[str]:
    """Return the names of the model's files as they are now; links to nothing are not among `model.files`."""
    if model.format is ModelFormat.MLX:
        return sorted(path.name for path in model.path.iterdir() if path.is_symlink() or path.is_file())
    return sorted((file.name for file in model.files), reverse=True)


def _delete_file(file: Path) -> int:
    """Delete a file; return its size, or 0 for a link and for a file that has other names as well."""
    if not file.is_symlink() and not file.exists():
        return 0
    status = file.lstat()
    file.unlink()
    return status.st_size if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 else 0


def _remove_empty(folder: Path, models: Path) -> None:
    """Remove `folder` and those above it as far as they are empty, but not `models`."""
    while folder != models and folder.is_relative_to(models) and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _not_removed(model: InstalledModel, error: OSError) -> LibraryError:
    return LibraryError(
        f"{shown(model.name)} cannot be removed: {error.strerror or error}.",
        "Unload it if it is in use, check the folder's permissions, and remove it again.",
        detail=str(error),
    )
