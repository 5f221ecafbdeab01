"""Adding models where they lie, without copying, and forgetting them again, without deleting.

Both are changes of the settings alone, which whoever asks for them writes.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from runtime.config.settings import Settings
from runtime.library.defects import shown
from runtime.library.gguf_spec import PART_NAME
from runtime.library.installed import InstalledModel, ModelOrigin, installed_model, model_name
from runtime.library.reader import read_spec
from runtime.library.scan import ScannedModel, model_at, scan
from runtime.values.errors import ModelMissingError

WEIGHTS_SUFFIX = ".safetensors"


class Addition(msgspec.Struct, frozen=True):
    """What adding a place came to: the models that it holds, and the settings with it."""

    models: tuple[InstalledModel, ...]
    settings: Settings


def add_in_place(place: Path, settings: Settings) -> Addition:
    """Return `settings` with what is at `place` added: an MLX directory, a GGUF file, or a folder with models.

    A folder with models stays in the settings as a folder, so that what is put into it later is found, too. Of a model
    in parts, any part stands for all. What was forgotten before is listed again.

    Raises:
        ModelMissingError: there is nothing there, or no model.
        UserFacingError: the one model that is there is broken or cannot run.
    """
    path = _model_path(place.expanduser().absolute())
    model = model_at(path)
    if model is not None:
        read_spec(model.path)
        return _with_model(model, settings)
    found = tuple(
        installed_model(one, model_name(one, path), ModelOrigin.FOLDER) for one in (scan(path) if path.is_dir() else ())
    )
    if not found:
        raise ModelMissingError(
            f"There is no model at {shown(place)}.",
            "Choose a GGUF file, a folder with config.json and safetensors files, or a folder that holds such.",
        )
    folders = dict.fromkeys((*settings.models_folders, str(path)))
    return Addition(found, _remembered(found, msgspec.structs.replace(settings, models_folders=tuple(folders))))


def forget(model: InstalledModel, settings: Settings) -> Settings:
    """Return `settings` without `model`, whose files stay where they are."""
    place = str(model.path)
    added = tuple(one for one in settings.added_models if one != place)
    settings = msgspec.structs.replace(settings, added_models=added)
    if not any(model.path.is_relative_to(Path(folder).expanduser()) for folder in settings.models_folders):
        return settings
    forgotten = tuple(dict.fromkeys((*settings.forgotten_models, place)))
    return msgspec.structs.replace(settings, forgotten_models=forgotten)


def _model_path(path: Path) -> Path:
    """Return the path that stands for the model that `path` is a file of."""
    if path.suffix == WEIGHTS_SUFFIX:
        return path.parent
    part = PART_NAME.fullmatch(path.name)
    return path.with_name(f"{part[1]}-{1:05d}-of-{part[3]}.gguf") if part else path


def _with_model(model: ScannedModel, settings: Settings) -> Addition:
    added = tuple(dict.fromkeys((*settings.added_models, str(model.path))))
    one = installed_model(model, model_name(model, model.path.parent), ModelOrigin.ADDED)
    return Addition((one,), _remembered((one,), msgspec.structs.replace(settings, added_models=added)))


def _remembered(models: tuple[InstalledModel, ...], settings: Settings) -> Settings:
    again = {str(model.path) for model in models}
    forgotten = tuple(place for place in settings.forgotten_models if place not in again)
    return msgspec.structs.replace(settings, forgotten_models=forgotten)
