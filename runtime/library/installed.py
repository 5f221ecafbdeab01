"""Which models are on this machine: the app's own folder, folders the user named, and the demo model. Opens no file.

A model is a GGUF file, or a folder with config.json and safetensors weights. Its name is its path inside the folder it
was found in, without ".gguf", so that two publishers' versions of one model stay apart.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from runtime.config.paths import AppPaths
from runtime.config.settings import Settings
from runtime.library.gguf_spec import PART_NAME
from runtime.library.mlx_spec import CONFIG_FILE, WEIGHTS_PATTERN
from runtime.values.model import ModelFormat

GGUF_SUFFIX = ".gguf"
VISION_PREFIX = "mmproj"
MAX_DEPTH = 3
MAX_ENTRIES = 20_000
"""Folder entries looked at in one models folder: enough for any collection, and an end for a whole disk."""

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


class InstalledModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is there.

    Attributes:
        name: what it answers to.
        path: the MLX directory, or the (first) GGUF file.
        format: which of the two.
        is_demo: True for the model that ships with the app.
        size_bytes: bytes of its files.
    """

    name: str
    path: Path
    format: ModelFormat
    is_demo: bool
    size_bytes: int


def list_models(paths: AppPaths, settings: Settings) -> tuple[InstalledModel, ...]:
    """Return the models on this machine, the demo model last; folders that cannot be read count as empty."""
    folders = (paths.models, *(Path(folder).expanduser() for folder in settings.models_folders))
    found: dict[Path, InstalledModel] = {}
    for folder in folders:
        for model in _models_in(folder):
            found.setdefault(model.path, model)
    return (*sorted(found.values(), key=lambda model: model.name.lower()), *demo_models(paths))


def demo_models(paths: AppPaths) -> tuple[InstalledModel, ...]:
    """Return the forms of the demo model that are there."""
    return tuple(
        InstalledModel(
            name=f"{DEMO}:{variant.name}",
            path=path,
            format=variant.format,
            is_demo=True,
            size_bytes=_folder_bytes(path) if path.is_dir() else _file_bytes(path),
        )
        for variant in DEMO_VARIANTS
        if (path := paths.demo_model / variant.file).exists()
    )


def is_mlx_folder(folder: Path) -> bool:
    """Return whether `folder` looks like an MLX model."""
    return (folder / CONFIG_FILE).is_file() and any(folder.glob(WEIGHTS_PATTERN))


def gguf_files(folder: Path) -> list[Path]:
    """Return the GGUF models right in `folder`: of a model in parts the first, and no vision parts."""
    return sorted(path for path in folder.iterdir() if _is_gguf_model(path) and path.is_file())


def _is_gguf_model(path: Path) -> bool:
    part = PART_NAME.fullmatch(path.name)
    is_first = part is None or int(part[2]) == 1
    return path.suffix.lower() == GGUF_SUFFIX and is_first and not path.name.lower().startswith(VISION_PREFIX)


def _models_in(folder: Path) -> Iterator[InstalledModel]:
    seen = 0
    for place, folders, files in os.walk(folder):
        here = Path(place)
        seen += len(folders) + len(files)
        if seen > MAX_ENTRIES or len(here.relative_to(folder).parts) >= MAX_DEPTH:
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith(".")]
        if here != folder and CONFIG_FILE in files and is_mlx_folder(here):
            folders.clear()
            yield _installed(folder, here, ModelFormat.MLX, _folder_bytes(here))
            continue
        for file in filter(_is_gguf_model, map(here.joinpath, sorted(files))):
            yield _installed(folder, file, ModelFormat.GGUF, _gguf_bytes(file))


def _installed(folder: Path, path: Path, model_format: ModelFormat, size_bytes: int) -> InstalledModel:
    part = PART_NAME.fullmatch(path.name)
    last = part[1] if part else path.name
    name = path.relative_to(folder).with_name(last).as_posix()
    if model_format is ModelFormat.GGUF and part is None:
        name = name[: -len(GGUF_SUFFIX)]
    return InstalledModel(name=name, path=path, format=model_format, is_demo=False, size_bytes=size_bytes)


def _gguf_bytes(file: Path) -> int:
    part = PART_NAME.fullmatch(file.name)
    if part is None:
        return _file_bytes(file)
    return sum(_file_bytes(path) for path in file.parent.glob("*.gguf") if _same_model(part, path))


def _same_model(part: re.Match[str], path: Path) -> bool:
    other = PART_NAME.fullmatch(path.name)
    return other is not None and (other[1], other[3]) == (part[1], part[3])


def _folder_bytes(folder: Path) -> int:
    return sum(_file_bytes(path) for path in folder.glob("*") if path.is_file())


def _file_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
