"""From a path to a `ModelSpec`: a directory is an MLX model, a file is GGUF. Reads headers, never weights."""

from __future__ import annotations

from pathlib import Path

from runtime.config.paths import DEMO_MODEL_FOLDER_NAME, assets_folder
from runtime.library.defects import broken, shown
from runtime.library.gguf_spec import read_gguf_spec
from runtime.library.mlx_spec import read_mlx_spec
from runtime.library.spec import ModelSpec
from runtime.values.errors import ModelMissingError


def read_spec(path: Path) -> ModelSpec:
    """Return what the model at `path` is, or say what is wrong with it.

    Checked before this returns: all parts are there, every tensor lies in its file and has the size its shape asks
    for, numbers are within what engines survive, the tensors have the shapes that the configuration asks for, and the
    model brings no code of its own. Not checked: whether an engine knows the architecture, and the weights themselves.

    Raises:
        ModelMissingError: there is nothing there, or a directory without a model.
        ModelBrokenError: the files are damaged or contradict each other.
        ModelUnsupportedError: they are well formed, but nothing here runs them.
    """
    try:
        place = path.expanduser().absolute()
        place = place if place.name else place.resolve()
        is_demo = place.resolve().is_relative_to(assets_folder() / DEMO_MODEL_FOLDER_NAME)
        if place.is_dir():
            return read_mlx_spec(place, is_demo=is_demo)
        if not place.exists():
            raise ModelMissingError(f"There is no model at {shown(path)}.", "Check the path.")
        return read_gguf_spec(place, is_demo=is_demo)
    except (OSError, ValueError, RuntimeError) as error:
        raise broken(path, "it cannot be read", str(error)) from error
