"""Which models are on this machine: the app's own folder, what the user added, and the demo model. Opens no file.

A model is a GGUF file, or a folder with config.json and safetensors weights. Its name is its path inside the folder it
was found in, without ".gguf", so that two publishers' versions of one model stay apart. Models that were added lie
where they always did; nothing is copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from runtime.config.paths import AppPaths
from runtime.config.settings import Settings
from runtime.library.gguf_spec import PART_NAME
from runtime.library.mlx_spec import CONFIG_FILE, WEIGHTS_PATTERN
from runtime.library.scan import GGUF_SUFFIX, ScannedFile, ScannedModel, has_model_name, model_at, scan
from runtime.values.model import ModelFormat

DEMO = "demo"


class DemoVariant(msgspec.Struct, frozen=True):
    """One stored form of the demo model."""

    name: str
    file: str
    format: ModelFormat


DEMO_VARIANTS = (
    DemoVariant("int8", "mlx-int8", ModelFormat.MLX),
    DemoVariant("int4", "mlx-int4", ModelFormat.MLX),
    DemoVariant("int8", "demo-q8_0.gguf", ModelFormat.GGUF),
    DemoVariant("int4", "demo-q4_0.gguf", ModelFormat.GGUF),
)


class ModelOrigin(StrEnum):
    """Why a model is in the list, and so what removing it means: only what is the app's own is ever deleted."""

    OWN = "own"
    """In the app's own models folder."""
    ADDED = "added"
    """Added by itself, in place."""
    FOLDER = "folder"
    """In a folder that the settings name."""
    DEMO = "demo"
    """Came with the app."""
    ELSEWHERE = "elsewhere"
    """Another program's, or named by its path."""


class InstalledModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is there.

    Attributes:
        name: what it answers to.
        path: the MLX directory, or the (first) GGUF file.
        format: which of the two.
        is_demo: True for the model that ships with the app.
        size_bytes: bytes of its files.
        origin: why it is in the list.
        files: the files it consists of.
    """

    name: str
    path: Path
    format: ModelFormat
    is_demo: bool
    size_bytes: int
    origin: ModelOrigin = ModelOrigin.ELSEWHERE
    files: tuple[ScannedFile, ...] = ()


def list_models(paths: AppPaths, settings: Settings) -> tuple[InstalledModel, ...]:
    """Return the models on this machine, the demo model last; folders that cannot be read count as empty."""
    found: dict[Path, InstalledModel] = {}
    for model in (*_own(paths), *_added(settings), *_in_folders(settings)):
        found.setdefault(model.path, model)
    forgotten = {Path(place) for place in settings.forgotten_models}
    shown = [model for model in found.values() if model.origin is ModelOrigin.OWN or model.path not in forgotten]
    return (*sorted(shown, key=lambda model: model.name.lower()), *demo_models(paths))


def demo_models(paths: AppPaths) -> tuple[InstalledModel, ...]:
    """Return the forms of the demo model that are there."""
    places = ((variant, paths.demo_model / variant.file) for variant in DEMO_VARIANTS)
    found = ((variant, model_at(path)) for variant, path in places)
    return tuple(
        installed_model(model, f"{DEMO}:{variant.name}", ModelOrigin.DEMO)
        for variant, model in found
        if model is not None
    )


def installed_model(model: ScannedModel, name: str, origin: ModelOrigin) -> InstalledModel:
    """Return `model` under a name."""
    return InstalledModel(
        name=name,
        path=model.path,
        format=model.format,
        is_demo=origin is ModelOrigin.DEMO,
        size_bytes=model.size_bytes,
        origin=origin,
        files=model.files,
    )


def model_name(model: ScannedModel, folder: Path) -> str:
    """Return what a model found in `folder` answers to."""
    *above, last = model.path.parts[len(folder.parts) :]
    if model.format is ModelFormat.GGUF:
        part = PART_NAME.fullmatch(last)
        if part is not None:
            last = part[1]
        elif last.lower().endswith(GGUF_SUFFIX):
            last = last[: -len(GGUF_SUFFIX)]
    return "/".join((*above, last))


def _own(paths: AppPaths) -> Iterator[InstalledModel]:
    for model in scan(paths.models):
        yield installed_model(model, model_name(model, paths.models), ModelOrigin.OWN)


def _added(settings: Settings) -> Iterator[InstalledModel]:
    for path in map(Path, settings.added_models):
        model = model_at(path)
        if model is not None:
            yield installed_model(model, model_name(model, path.parent), ModelOrigin.ADDED)


def _in_folders(settings: Settings) -> Iterator[InstalledModel]:
    for place in settings.models_folders:
        try:
            folder = Path(place).expanduser()
        except RuntimeError:  # "~somebody" who is not known here.
            continue
        for model in scan(folder):
            yield installed_model(model, model_name(model, folder), ModelOrigin.FOLDER)


def is_mlx_folder(folder: Path) -> bool:
    """Return whether `folder` looks like an MLX model."""
    return (folder / CONFIG_FILE).is_file() and any(folder.glob(WEIGHTS_PATTERN))


def gguf_files(folder: Path) -> list[Path]:
    """Return the GGUF models right in `folder`: of a model in parts the first, and no vision parts."""
    return sorted(path for path in folder.iterdir() if has_model_name(path.name) and path.is_file())
