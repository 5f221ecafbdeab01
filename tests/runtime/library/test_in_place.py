"""Models are added where they lie and forgotten again; nothing is copied, nothing deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config.paths import AppPaths
from runtime.config.settings import Settings, read_settings, write_settings
from runtime.library.in_place import add_in_place, forget
from runtime.library.installed import ModelOrigin, list_models
from runtime.values.errors import ModelBrokenError, ModelMissingError
from tests.models.random_gguf import write_random_gguf
from tests.models.random_mlx import write_random_mlx
from tests.runtime.library.model_stand_ins import gguf, paths

__all__ = ["paths"]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an MLX model and a GGUF file."""
    folder = tmp_path_factory.mktemp("shelf")
    write_random_gguf(folder / "tiny.gguf")
    write_random_mlx(folder / "tiny-mlx")
    return folder


def names(app: AppPaths, settings: Settings) -> dict[str, ModelOrigin]:
    return {model.name: model.origin for model in list_models(app, settings) if not model.is_demo}


@pytest.mark.parametrize(
    ("place", "name"), [("tiny.gguf", "tiny"), ("tiny-mlx", "tiny-mlx"), ("tiny-mlx/model.safetensors", "tiny-mlx")]
)
def test_a_single_model_is_added_and_forgotten(paths: AppPaths, shelf: Path, place: str, name: str) -> None:
    addition = add_in_place(shelf / place, Settings())
    (model,) = addition.models

    assert model.name == name
    assert names(paths, addition.settings) == {name: ModelOrigin.ADDED}
    assert add_in_place(shelf / place, addition.settings).settings == addition.settings
    (listed,) = (one for one in list_models(paths, addition.settings) if not one.is_demo)
    assert forget(listed, addition.settings) == Settings()
    assert model.path.exists()


def test_a_folder_is_added_as_a_folder_and_its_models_forgotten_one_by_one(paths: AppPaths, shelf: Path) -> None:
    settings = add_in_place(shelf, Settings()).settings
    assert names(paths, settings) == {"tiny": ModelOrigin.FOLDER, "tiny-mlx": ModelOrigin.FOLDER}

    first = next(model for model in list_models(paths, settings) if model.name == "tiny")
    settings = forget(first, settings)

    assert names(paths, settings) == {"tiny-mlx": ModelOrigin.FOLDER}
    assert set(names(paths, add_in_place(shelf / "tiny.gguf", settings).settings)) == {"tiny", "tiny-mlx"}
    assert set(names(paths, add_in_place(shelf, settings).settings)) == {"tiny", "tiny-mlx"}
    assert first.path.exists()


def test_a_model_that_was_added_and_lies_in_a_folder_is_forgotten_altogether(paths: AppPaths, shelf: Path) -> None:
    settings = add_in_place(shelf / "tiny.gguf", add_in_place(shelf, Settings()).settings).settings
    model = next(one for one in list_models(paths, settings) if one.name == "tiny")

    assert set(names(paths, forget(model, settings))) == {"tiny-mlx"}


def test_any_part_of_a_model_in_parts_stands_for_all(tmp_path: Path) -> None:
    for number in (1, 2):
        gguf(tmp_path / "x" / f"big-{number:05d}-of-00002.gguf")

    with pytest.raises(ModelBrokenError) as raised:  # It is looked into, and these are no models.
        add_in_place(tmp_path / "x" / "big-00002-of-00002.gguf", Settings())

    assert "00001-of-00002" in raised.value.what


def test_what_holds_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "letter.txt").write_text("Dear aunt", encoding="utf-8")

    for place in ("none", "empty", "none.gguf"):
        with pytest.raises(ModelMissingError, match="There is no model at"):
            add_in_place(tmp_path / place, Settings())
    with pytest.raises(ModelBrokenError):
        add_in_place(tmp_path / "letter.txt", Settings())


def test_settings_keep_what_was_added(paths: AppPaths, shelf: Path) -> None:
    settings = add_in_place(shelf / "tiny.gguf", Settings()).settings
    write_settings(paths.config_file, settings)

    assert names(paths, read_settings(paths.config_file)) == {"tiny": ModelOrigin.ADDED}


def test_a_model_that_was_added_and_is_gone_is_not_listed(paths: AppPaths, tmp_path: Path) -> None:
    settings = Settings(added_models=(str(tmp_path / "gone.gguf"), "a\0b"), models_folders=("~nobody-here/x",))

    assert names(paths, settings) == {}
