"""`first-token models add` and `models remove`: what is in the list of models, and what of it is deleted."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from runtime.cli.installed_names import find_installed
from runtime.cli.streams import printable_path, write_json, write_line, writing
from runtime.cli.terminal import without_controls
from runtime.config.paths import AppPaths
from runtime.config.settings import read_settings, write_settings
from runtime.library.in_place import add_in_place
from runtime.library.installed import InstalledModel, list_models
from runtime.library.removal import Removal, remove_model, will_be_deleted
from runtime.values.errors import InvalidRequestError, ModelMissingError
from runtime.values.wording import bytes_text

if TYPE_CHECKING:
    from runtime.cli.parser import Commands

ADD_DESCRIPTION = """\
Add a model that is already on this machine, where it lies: an MLX directory, a GGUF file, or a folder that holds such.
Nothing is copied. A folder stays in the settings, so that what is put into it later is found, too.
"""
REMOVE_DESCRIPTION = """\
Remove a model. What lies in the app's own folder is deleted, and its bytes are free again; a model that was added in
place is only forgotten, and its files stay where they are.
"""
REMOVE_EPILOG = """\
examples:
  first-token models remove Qwen3-8B-4bit
  first-token models remove --yes --json mlx-community/Qwen3-8B-4bit
"""
AGREED = ("y", "yes")


class AddedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was added."""

    name: str
    path: str
    size_bytes: int


class RemovedModel(msgspec.Struct, frozen=True, kw_only=True):
    """What `models remove` says; `deleted` tells whether the files are gone or only forgotten."""

    name: str
    path: str
    deleted: bool
    freed_bytes: int


def add_adding_parser(actions: Commands) -> None:
    """Add `models add` and its options."""
    parser = actions.add_parser("add", help="add a model where it lies", description=ADD_DESCRIPTION)
    parser.add_argument("path", metavar="PATH", help="an MLX directory, a GGUF file, or a folder that holds such")
    parser.add_argument("--json", action="store_true", help="print one JSON array, an object a model")
    parser.set_defaults(run=run_add)


def add_removal_parser(actions: Commands) -> None:
    """Add `models remove` and its options."""
    parser = actions.add_parser(
        "remove", help="delete or forget a model", description=REMOVE_DESCRIPTION, epilog=REMOVE_EPILOG
    )
    parser.add_argument("model", metavar="NAME", help="a name from `first-token models list`")
    parser.add_argument("--yes", action="store_true", help="do it without asking")
    parser.add_argument("--json", action="store_true", help="print one JSON object; needs --yes")
    parser.set_defaults(run=run_remove)


def run_add(options: argparse.Namespace, paths: AppPaths) -> int:
    """Add what is at a path; return the exit code."""
    addition = add_in_place(Path(options.path), read_settings(paths.config_file))
    write_settings(paths.config_file, addition.settings)
    rows = [
        AddedModel(name=printable_path(model.name), path=printable_path(model.path), size_bytes=model.size_bytes)
        for model in addition.models
    ]
    if options.json:
        write_json(rows)
        return 0
    for row in rows:
        write_line(without_controls(f"Added {row.name}, {bytes_text(row.size_bytes)}, where it lies: {row.path}"))
    return 0


def run_remove(options: argparse.Namespace, paths: AppPaths) -> int:
    """Remove a model once the user agrees; return the exit code."""
    settings = read_settings(paths.config_file)
    model = find_installed(options.model, list_models(paths, settings))
    if model is None:
        raise ModelMissingError(
            f"There is no installed model called {printable_path(options.model)}.",
            "`first-token models list` shows what is installed.",
        )
    if not options.yes and not _is_agreed(model, paths, as_json=options.json):
        write_line("Nothing was removed.")
        return 1
    removal = remove_model(model, paths, settings)
    if removal.settings != settings:
        write_settings(paths.config_file, removal.settings)
    if options.json:
        write_json(_removed(removal))
    else:
        write_line(without_controls(removal_line(_removed(removal))))
    return 0


def removal_line(removed: RemovedModel) -> str:
    """Return what removing came to, as text."""
    if removed.deleted:
        return f"Deleted {removed.name}: {bytes_text(removed.freed_bytes)} are free again."
    return f"Forgot {removed.name}. Its files are not the app's own and stay where they are: {removed.path}"


def _removed(removal: Removal) -> RemovedModel:
    return RemovedModel(
        name=printable_path(removal.name),
        path=printable_path(removal.path),
        deleted=removal.is_deleted,
        freed_bytes=removal.freed_bytes,
    )


def _is_agreed(model: InstalledModel, paths: AppPaths, *, as_json: bool) -> bool:
    """Ask the user.

    Raises:
        InvalidRequestError: there is nobody to ask.
    """
    if as_json or not sys.stdin.isatty():
        raise InvalidRequestError("Removing a model has to be confirmed.", "Add --yes.")
    name = without_controls(printable_path(model.name))
    deleted = will_be_deleted(model, paths)
    what = f"Delete {name} ({bytes_text(model.size_bytes)})" if deleted else f"Forget {name}, whose files stay"
    with writing():
        sys.stderr.write(f"{what}? [y/N] ")
        sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in AGREED
