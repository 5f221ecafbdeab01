"""Looking through folders ends, whatever is in them, and finds what is a model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.library import scan as scanning
from runtime.library.scan import model_at, scan
from runtime.values.model import ModelFormat
from tests.runtime.library.model_stand_ins import gguf, mlx

needs_links = pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")


def found(folder: Path) -> list[str]:
    return sorted(model.path.relative_to(folder).as_posix() for model in scan(folder))


def test_all_kinds_of_models_with_their_files(tmp_path: Path) -> None:
    gguf(tmp_path / "a.gguf", 3)
    gguf(tmp_path / "B.GGUF", 4)
    mlx(tmp_path / "publisher" / "c", 5)
    for number in (1, 2, 3):
        gguf(tmp_path / "parts" / f"d-{number:05d}-of-00003.gguf", number)
    gguf(tmp_path / "parts" / "e-00001-of-00002.gguf", 7)

    sizes = {model.path.name: model.size_bytes for model in scan(tmp_path)}

    assert sizes == {"a.gguf": 3, "B.GGUF": 4, "c": 7, "d-00001-of-00003.gguf": 6, "e-00001-of-00002.gguf": 7}


def test_what_is_no_model_is_passed_over(tmp_path: Path) -> None:
    gguf(tmp_path / "mmproj-vision.gguf")
    gguf(tmp_path / "d-00002-of-00003.gguf")
    gguf(tmp_path / ".hidden" / "a.gguf")
    (tmp_path / "folder.gguf").mkdir()
    mlx(tmp_path / "no-weights") / "model.safetensors"
    (tmp_path / "no-weights" / "model.safetensors").unlink()
    mlx(tmp_path)

    assert found(tmp_path) == []


def test_what_lies_in_a_model_is_part_of_it(tmp_path: Path) -> None:
    gguf(mlx(tmp_path / "a") / "inside.gguf")
    mlx(tmp_path / "a" / "below")

    assert found(tmp_path) == ["a"]


def test_a_folder_that_is_not_there_and_a_file_hold_nothing(tmp_path: Path) -> None:
    assert found(tmp_path / "none") == []
    assert list(scan(gguf(tmp_path / "a.gguf"))) == []


@needs_links
def test_links_to_models_count_and_links_to_nothing_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "a.gguf").symlink_to(gguf(tmp_path / "elsewhere" / "blob", 9))
    (folder / "b").symlink_to(mlx(tmp_path / "work" / "b"), target_is_directory=True)
    (folder / "gone.gguf").symlink_to(tmp_path / "none")
    (folder / "self.gguf").symlink_to(folder / "self.gguf")

    assert found(folder) == ["a.gguf", "b"]
    assert {model.size_bytes for model in scan(folder)} == {9, 22}


@needs_links
def test_loops_and_links_to_the_whole_disk_are_not_gone_down(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    gguf(folder / "publisher" / "one.gguf")
    for name, target in (("loop", folder), ("up", tmp_path), ("down", folder / "publisher"), ("disk", Path("/"))):
        (folder / name).symlink_to(target, target_is_directory=True)
        (folder / "publisher" / name).symlink_to(target, target_is_directory=True)

    assert found(folder) == ["publisher/one.gguf"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_no_model(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")

    assert found(tmp_path) == []
    assert model_at(tmp_path / "pipe.gguf") is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may read everything")
def test_a_folder_that_may_not_be_read_counts_as_empty(tmp_path: Path) -> None:
    gguf(tmp_path / "open" / "a.gguf")
    closed = gguf(tmp_path / "closed" / "b.gguf").parent
    closed.chmod(0)
    try:
        assert found(tmp_path) == ["open/a.gguf"]
    finally:
        closed.chmod(0o700)


def test_a_huge_tree_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "MAX_ENTRIES", 100)
    gguf(tmp_path / "a.gguf")
    for number in range(30):
        for inner in range(10):
            (tmp_path / f"{number:02d}" / str(inner)).mkdir(parents=True)
    gguf(tmp_path / "zz" / "late.gguf")
    looked_at: list[object] = []
    real = os.scandir

    def noted(folder: Path) -> object:
        looked_at.append(folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", noted)

    assert found(tmp_path) == ["a.gguf"]
    assert len(looked_at) <= 100


def test_one_place_is_a_model_or_not(tmp_path: Path) -> None:
    blob = gguf(tmp_path / "sha256-abc", 8)
    folder = mlx(tmp_path / "model")
    first = gguf(tmp_path / "d-00001-of-00002.gguf", 1)
    gguf(tmp_path / "d-00002-of-00002.gguf", 2)

    assert [(one.format, one.size_bytes) for one in map(model_at, (blob, folder, first)) if one] == [
        (ModelFormat.GGUF, 8),
        (ModelFormat.MLX, 22),
        (ModelFormat.GGUF, 3),
    ]
    assert model_at(tmp_path) is None
    assert model_at(tmp_path / "none") is None
    assert model_at(Path("a\0b")) is None
