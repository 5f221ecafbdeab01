"""Removing deletes what is the app's own and nothing else, whatever links lead where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.config.paths import AppPaths
from runtime.config.settings import Settings
from runtime.library.installed import InstalledModel, list_models
from runtime.library.removal import Removal, remove_model, will_be_deleted
from runtime.values.errors import LibraryError
from tests.runtime.library.model_stand_ins import gguf, mlx, paths

__all__ = ["paths"]
needs_links = pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")


def named(app: AppPaths, name: str, settings: Settings | None = None) -> InstalledModel:
    return next(model for model in list_models(app, settings or Settings()) if model.name == name)


def removed(app: AppPaths, name: str) -> Removal:
    model = named(app, name)
    removal = remove_model(model, app, Settings())
    assert removal.is_deleted == will_be_deleted(model, app) or not model.path.exists()
    assert name not in [one.name for one in list_models(app, removal.settings)]
    return removal


def test_a_gguf_file_is_deleted_and_its_bytes_counted(paths: AppPaths) -> None:
    gguf(paths.models / "publisher" / "repo" / "one.gguf", 1000)

    removal = removed(paths, "publisher/repo/one")

    assert (removal.is_deleted, removal.freed_bytes) == (True, 1000)
    assert list(paths.models.iterdir()) == []


def test_all_parts_go_and_the_neighbours_stay(paths: AppPaths) -> None:
    for number in (1, 2, 3):
        gguf(paths.models / "repo" / f"big-{number:05d}-of-00003.gguf", 10 * number)
    other = gguf(paths.models / "repo" / "bigger-00001-of-00003.gguf")

    assert removed(paths, "repo/big").freed_bytes == 60
    assert list(other.parent.iterdir()) == [other]


def test_a_directory_goes_with_all_that_was_downloaded(paths: AppPaths) -> None:
    folder = mlx(paths.models / "community" / "one", 500)
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool.jinja").write_text("x", encoding="utf-8")

    removal = removed(paths, "community/one")

    assert (removal.is_deleted, removal.freed_bytes) == (True, 502)
    assert paths.models.exists()
    assert not (paths.models / "community").exists()


def test_what_somebody_put_into_a_model_stays(paths: AppPaths) -> None:
    folder = mlx(paths.models / "one")
    (folder / "letters").mkdir()
    (folder / "letters" / "aunt.txt").write_text("Dear aunt", encoding="utf-8")

    removed(paths, "one")

    assert (folder / "letters" / "aunt.txt").exists()


@needs_links
def test_links_go_and_what_they_lead_to_stays(paths: AppPaths, tmp_path: Path) -> None:
    file, folder = gguf(tmp_path / "work" / "blob"), mlx(tmp_path / "work" / "mine")
    shelf = gguf(tmp_path / "shelf" / "far.gguf").parent
    (paths.models / "a.gguf").symlink_to(file)
    (paths.models / "b").symlink_to(folder, target_is_directory=True)
    (paths.models / "shelf").symlink_to(shelf, target_is_directory=True)

    for name in ("a", "b", "shelf/far"):
        removal = removed(paths, name)
        assert (removal.is_deleted, removal.freed_bytes) == (False, 0)
    assert list(paths.models.iterdir()) == []
    assert file.exists()
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert (shelf / "far.gguf").exists()


@needs_links
def test_links_inside_a_model_are_not_followed(paths: AppPaths, tmp_path: Path) -> None:
    precious = gguf(tmp_path / "precious" / "keep")
    folder = mlx(paths.models / "one")
    (folder / "tokenizer.json").symlink_to(precious)
    (folder / "gone.json").symlink_to(tmp_path / "none")
    (folder / ".cache").symlink_to(precious.parent, target_is_directory=True)

    assert removed(paths, "one").freed_bytes == 22
    assert precious.exists()
    assert not folder.exists()


@pytest.mark.skipif(not hasattr(os, "link"), reason="no hard links here")
def test_a_file_that_has_another_name_frees_nothing(paths: AppPaths, tmp_path: Path) -> None:
    os.link(gguf(tmp_path / "other", 1000), paths.models / "one.gguf")

    removal = removed(paths, "one")

    assert (removal.is_deleted, removal.freed_bytes) == (True, 0)
    assert (tmp_path / "other").exists()


def test_what_was_added_in_place_is_only_forgotten(paths: AppPaths, tmp_path: Path) -> None:
    file, folder = gguf(tmp_path / "work" / "a.gguf"), mlx(tmp_path / "shelf" / "b")
    settings = Settings(added_models=(str(file),), models_folders=(str(folder.parent),))

    for name in ("a", "b"):
        model = named(paths, name, settings)
        removal = remove_model(model, paths, settings)
        assert not will_be_deleted(model, paths)
        assert (removal.is_deleted, removal.freed_bytes) == (False, 0)
        assert name not in [one.name for one in list_models(paths, removal.settings)]
        assert model.path.exists()


def test_the_demo_model_cannot_be_removed(paths: AppPaths) -> None:
    with pytest.raises(LibraryError, match="demo model"):
        remove_model(named(paths, "demo:int4"), paths, Settings())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may delete everything")
def test_a_folder_that_may_not_be_changed_is_reported(paths: AppPaths) -> None:
    file = gguf(paths.models / "closed" / "one.gguf")
    file.parent.chmod(0o500)
    try:
        with pytest.raises(LibraryError, match="cannot be removed"):
            remove_model(named(paths, "closed/one"), paths, Settings())
    finally:
        file.parent.chmod(0o700)


def test_removing_twice_is_no_error(paths: AppPaths) -> None:
    gguf(paths.models / "one.gguf")
    model = named(paths, "one")

    assert remove_model(model, paths, Settings()).freed_bytes == 10
    assert remove_model(model, paths, Settings()).freed_bytes == 0
