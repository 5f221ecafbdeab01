"""From what the user typed to a model and an engine: `demo`, a path, or an installed model's name.

A GGUF file always goes to llama.cpp and an MLX directory to MLX; the demo model is there in both formats and follows
the engine. A choice that is impossible says why, and what to do.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from runtime.config.paths import AppPaths
from runtime.config.settings import Settings
from runtime.library.defects import shown
from runtime.library.installed import (
    DEMO,
    InstalledModel,
    demo_models,
    gguf_files,
    is_mlx_folder,
    list_models,
)
from runtime.library.mlx_spec import CONFIG_FILE
from runtime.library.scan import GGUF_SUFFIX
from runtime.metrics.device import DeviceInfo, is_apple_silicon
from runtime.values.errors import EngineUnavailableError, ModelMissingError, ModelUnsupportedError, UserFacingError
from runtime.values.model import EngineName, ModelFormat

DEFAULT_DEMO_VARIANT = "int8"
MOST_NAMES_SHOWN = 5

PACKAGES = {EngineName.MLX: "mlx_lm", EngineName.LLAMACPP: "xllamacpp"}
SERVER_PROGRAM = "llama-server"
WEIGHTS_SUFFIX = ".safetensors"

FORMAT_OF = {
    EngineName.MLX: ModelFormat.MLX,
    EngineName.LLAMACPP: ModelFormat.GGUF,
    EngineName.SCRIPTED: ModelFormat.SCRIPT,
}
ENGINE_OF = {model_format: engine for engine, model_format in FORMAT_OF.items()}

GET_ENGINE = {
    EngineName.MLX: "MLX runs on Macs with Apple Silicon; choose a GGUF version of the model instead.",
    EngineName.LLAMACPP: "Install the package xllamacpp, or name a llama-server in the settings.",
    EngineName.SCRIPTED: "Reinstall First Token.",
}


class EnginePlatform(msgspec.Struct, frozen=True):
    """What this machine offers: which engine to prefer, and which are installed."""

    prefers_mlx: bool
    installed: frozenset[EngineName]


class ResolvedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model and the engine that will run it.

    Attributes:
        name: what to call it.
        path: the MLX directory, the GGUF file, or the script.
        engine: who runs it.
        format: how it lies on disk.
        is_demo: True for the model that ships with the app.
    """

    name: str
    path: Path
    engine: EngineName
    format: ModelFormat
    is_demo: bool


def engine_platform(device: DeviceInfo, settings: Settings, environment: Mapping[str, str]) -> EnginePlatform:
    """Return what this machine offers. Looks for the engines' packages and programs without importing or running any.

    Args:
        device: the machine.
        settings: may name a native `llama-server`.
        environment: its PATH may hold one.
    """
    installed = {engine for engine, package in PACKAGES.items() if find_spec(package) is not None}
    if settings.llama_server or shutil.which(SERVER_PROGRAM, path=environment.get("PATH", "")):
        installed.add(EngineName.LLAMACPP)
    return EnginePlatform(is_apple_silicon(device), frozenset({*installed, EngineName.SCRIPTED}))


def resolve_model(
    name: str, engine: EngineName | None, paths: AppPaths, settings: Settings, platform: EnginePlatform
) -> ResolvedModel:
    """Return the model that `name` means and the engine for it; `engine` None picks it.

    Raises:
        ModelMissingError: no such model; the text suggests names that are close.
        ModelUnsupportedError: the engine asked for does not read the model's format.
        EngineUnavailableError: the engine for it is not installed here.
    """
    if engine is EngineName.SCRIPTED:
        return _scripted(name)
    if name == DEMO or name.startswith(f"{DEMO}:"):
        return _demo(name, engine, paths, platform)
    model = _named(name, FORMAT_OF[engine or _preferred(platform)], paths, settings)
    needed = ENGINE_OF[model.format]
    if engine is not None and engine is not needed:
        raise _wrong_engine(model, engine)
    _check_installed(needed, platform)
    return ResolvedModel(name=model.name, path=model.path, engine=needed, format=model.format, is_demo=model.is_demo)


def _scripted(name: str) -> ResolvedModel:
    path = Path(name).expanduser()
    return ResolvedModel(
        name=path.stem or name, path=path, engine=EngineName.SCRIPTED, format=ModelFormat.SCRIPT, is_demo=False
    )


def _demo(name: str, engine: EngineName | None, paths: AppPaths, platform: EnginePlatform) -> ResolvedModel:
    chosen = engine or _preferred(platform)
    _check_installed(chosen, platform)
    there = [model for model in demo_models(paths) if model.format is FORMAT_OF[chosen]]
    wanted = f"{DEMO}:{DEFAULT_DEMO_VARIANT}" if name == DEMO else name.lower()
    found = next((model for model in there if model.name == wanted), None)
    if found is None:
        names = " or ".join(model.name for model in there)
        raise ModelMissingError(
            f"There is no demo model called {shown(name)} for {chosen}.",
            f"Choose {names}." if names else "Reinstall First Token: the demo model should have come with it.",
        )
    return ResolvedModel(name=wanted, path=found.path, engine=chosen, format=found.format, is_demo=True)


def _preferred(platform: EnginePlatform) -> EngineName:
    """Return MLX on Apple Silicon and llama.cpp elsewhere; the other one where that is not installed."""
    order = (EngineName.MLX, EngineName.LLAMACPP) if platform.prefers_mlx else (EngineName.LLAMACPP, EngineName.MLX)
    return next((engine for engine in order if engine in platform.installed), order[0])


def _named(name: str, preferred: ModelFormat, paths: AppPaths, settings: Settings) -> InstalledModel:
    """Return the installed model of that name, or the model at that path.

    A name may be the last part of a longer one. Where a model is installed in both formats, `preferred` decides.
    """
    models = list_models(paths, settings)
    named = [model for model in models if model.name == name]
    named = named or [model for model in models if model.name.rpartition("/")[2] == name]
    found = [model for model in named if model.format is preferred] or named
    if len(found) > 1:
        raise ModelMissingError(
            f"{len(found)} installed models are called {shown(name)}.",
            f"Say which one: {_some([str(model.path) for model in found])}.",
        )
    return found[0] if found else _at_path(name, models, paths)


def _at_path(name: str, models: Sequence[InstalledModel], paths: AppPaths) -> InstalledModel:
    if not name.strip():
        raise _missing(name, models)
    try:
        path = Path(name).expanduser().absolute()
        if path.suffix == WEIGHTS_SUFFIX and is_mlx_folder(path.parent):
            path = path.parent
        elif path.is_dir():
            path = _model_in(path)
        if not path.exists():
            raise _missing(name, models)
        is_demo = path.is_relative_to(paths.demo_model)
    except (OSError, ValueError, RuntimeError) as error:
        raise _missing(name, models) from error
    is_gguf = path.is_file()
    return InstalledModel(
        name=path.stem if is_gguf else path.name,
        path=path,
        format=ModelFormat.GGUF if is_gguf else ModelFormat.MLX,
        is_demo=is_demo,
        size_bytes=0,
    )


def _model_in(folder: Path) -> Path:
    """Return the model that a folder stands for: the folder itself, or the one GGUF file in it."""
    if is_mlx_folder(folder):
        return folder
    files = gguf_files(folder)
    if not files and not (folder / CONFIG_FILE).exists():
        raise ModelMissingError(
            f"The folder {shown(folder.name)} holds no model.",
            "Choose a folder with config.json and model.safetensors, or a GGUF file.",
        )
    if len(files) > 1:
        raise ModelMissingError(
            f"The folder {shown(folder.name)} holds {len(files)} GGUF models.",
            f"Say which one: {_some([path.name for path in files])}.",
        )
    return files[0] if files else folder


def _missing(name: str, models: Sequence[InstalledModel]) -> ModelMissingError:
    names = [model.name for model in models]
    last_parts = {each.rpartition("/")[2].lower(): each for each in names}
    from difflib import get_close_matches  # noqa: PLC0415 - only for a name that is wrong

    close = get_close_matches(name.lower()[:200], last_parts, n=MOST_NAMES_SHOWN, cutoff=0.5)
    suggestion = f"Did you mean {_some([last_parts[each] for each in close])}? " if close else ""
    return ModelMissingError(
        f"There is no model called {shown(name)}, installed or at that path.",
        f"{suggestion}`first-token models list` shows what is installed.",
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(shown(name) for name in names[:MOST_NAMES_SHOWN])


def _wrong_engine(model: InstalledModel, engine: EngineName) -> UserFacingError:
    needed = ENGINE_OF[model.format]
    kind = "a GGUF file" if model.path.suffix.lower() == GGUF_SUFFIX else f"a model in {model.format} format"
    return ModelUnsupportedError(
        f"{shown(model.name)} is {kind}, which {engine} does not read.",
        f"Use --engine {needed}, or choose a {FORMAT_OF[engine].upper()} version of the model.",
    )


def _check_installed(engine: EngineName, platform: EnginePlatform) -> None:
    if engine not in platform.installed:
        raise EngineUnavailableError(f"The engine {engine} is not installed here.", GET_ENGINE[engine])
