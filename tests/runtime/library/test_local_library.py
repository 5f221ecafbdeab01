"""The list of installed models: headers read once, last use remembered, search by any word."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runtime.config.paths import AppPaths
from runtime.config.settings import Settings
from runtime.library import header_cache
from runtime.library.header_cache import CACHE_FILE_NAME
from runtime.library.last_used import FILE_NAME, read_last_used, record_use
from runtime.library.local_library import LibraryModel, read_library, search_library
from runtime.library.reader import read_spec
from runtime.values.errors import StoreError
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.models.random_mlx import write_random_mlx
from tests.runtime.library.model_stand_ins import gguf, paths

__all__ = ["paths"]
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def library(app: AppPaths) -> dict[str, LibraryModel]:
    return {one.model.name: one for one in read_library(app, Settings()) if not one.model.is_demo}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of models whose headers are really read, as they are."""
    names: list[str] = []

    def noted(path: Path) -> header_cache.ModelHeaders:
        names.append(path.name)
        return real(path)

    real = header_cache.read_headers
    monkeypatch.setattr(header_cache, "read_headers", noted)
    return names


def test_a_model_is_described_from_its_headers(paths: AppPaths) -> None:
    write_random_mlx(paths.models / "someone" / "tiny", quantized_bits=8)
    write_random_gguf(paths.models / "tiny.gguf", GgufRecipe(weights="Q4_0", chat_template=None))
    models = library(paths)
    mlx, file = models["someone/tiny"].headers, models["tiny"].headers

    assert mlx.spec is not None
    assert file.spec is not None
    assert (mlx.spec.quantization.name, mlx.has_chat_template) == ("INT8", True)
    assert (file.spec.quantization.name, file.has_chat_template) == ("Q4_0", False)
    assert mlx.reads is not None
    assert mlx.reads.kv
    assert mlx.spec.tensors == ()
    whole = read_spec(paths.models / "tiny.gguf")
    assert (file.spec.parameters, file.spec.kv_layers) == (whole.parameters, whole.kv_layers)
    assert models["tiny"].last_used is None


def test_headers_are_read_once_and_again_when_files_change(paths: AppPaths, reads: list[str]) -> None:
    write_random_gguf(paths.models / "a.gguf")
    write_random_mlx(paths.models / "b")
    gguf(paths.models / "broken.gguf")
    first = library(paths)
    assert {"a.gguf", "b", "broken.gguf"} <= set(reads)

    reads.clear()
    again = library(paths)
    assert reads == []
    assert again == first

    os.utime(paths.models / "b" / "config.json", (1, 1))
    gguf(paths.models / "broken.gguf", 11)
    (paths.models / "a.gguf").rename(paths.models / "c.gguf")
    library(paths)
    assert sorted(reads) == ["b", "broken.gguf", "c.gguf"]


def test_a_broken_model_is_listed_with_its_problem(paths: AppPaths) -> None:
    gguf(paths.models / "broken.gguf")
    headers = library(paths)["broken"].headers

    assert headers.spec is None
    assert "broken.gguf" in headers.problem


@pytest.mark.parametrize("content", [b"", b"[]", b'{"form": 999, "entries": {}}', b"\xff", b"[" * 100_000])
def test_a_cache_that_cannot_be_understood_is_made_anew(paths: AppPaths, reads: list[str], content: bytes) -> None:
    write_random_gguf(paths.models / "a.gguf")
    paths.cache.mkdir(parents=True)
    (paths.cache / CACHE_FILE_NAME).write_bytes(content)

    assert library(paths)["a"].headers.spec is not None
    assert "a.gguf" in reads
    reads.clear()
    library(paths)
    assert reads == []


def test_a_cache_that_cannot_be_written_costs_time_alone(paths: AppPaths) -> None:
    write_random_gguf(paths.models / "a.gguf")
    paths.cache.parent.mkdir(parents=True, exist_ok=True)
    paths.cache.write_text("a file where the folder should be", encoding="utf-8")

    for _ in range(2):
        assert library(paths)["a"].headers.spec is not None


# --- last used ---


def test_the_last_use_is_remembered(paths: AppPaths) -> None:
    write_random_gguf(paths.models / "a.gguf")
    record_use(paths, paths.models / "a.gguf", NOON)
    record_use(paths, paths.models / "a.gguf", NOON + timedelta(hours=1))
    record_use(paths, paths.models / "other.gguf", NOON)

    assert library(paths)["a"].last_used == NOON + timedelta(hours=1)
    assert read_last_used(paths)[paths.models / "other.gguf"] == NOON


def test_a_use_is_now_if_nothing_else_is_said(paths: AppPaths) -> None:
    before = datetime.now(UTC)
    record_use(paths, paths.models / "a.gguf")

    assert before <= read_last_used(paths)[paths.models / "a.gguf"] <= datetime.now(UTC)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"form": 1, "used": {"/a": "yesterday"}}', b"\xff", b"[1]"])
def test_uses_that_cannot_be_understood_count_as_none(paths: AppPaths, content: bytes) -> None:
    paths.data.mkdir(parents=True)
    (paths.data / FILE_NAME).write_bytes(content)

    assert read_last_used(paths) == {}
    record_use(paths, paths.models / "a.gguf", NOON)
    assert read_last_used(paths) == {paths.models / "a.gguf": NOON}


def test_only_the_latest_uses_are_kept(paths: AppPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.library.last_used.MAX_ENTRIES", 3)
    for number in range(5):
        record_use(paths, Path(f"/models/{number}"), NOON + timedelta(hours=number))

    assert {path.name for path in read_last_used(paths)} == {"2", "3", "4"}


def test_a_use_that_cannot_be_written_is_reported(paths: AppPaths) -> None:
    paths.data.parent.mkdir(parents=True, exist_ok=True)
    paths.data.write_text("a file where the folder should be", encoding="utf-8")

    with pytest.raises(StoreError, match="cannot be written"):
        record_use(paths, paths.models / "a.gguf")


# --- search ---


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> tuple[LibraryModel, ...]:
    """Return a library of four models."""
    folder = tmp_path_factory.mktemp("shelf")
    write_random_gguf(folder / "Alpha-8B-Q8_0.gguf", GgufRecipe(weights="Q8_0"))
    write_random_gguf(folder / "someone" / "Beta-Qwen3.gguf")
    write_random_mlx(folder / "community" / "alpha-mini-4bit", quantized_bits=4)
    gguf(folder / "broken-alpha.gguf")
    app = AppPaths(
        data=folder / "d", cache=folder / "c", logs=folder / "l", models=folder, config_file=folder / "s", assets=folder
    )
    return read_library(app, Settings())


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["Alpha-8B-Q8_0", "broken-alpha", "community/alpha-mini-4bit", "someone/Beta-Qwen3"]),
        ("ALPHA", ["Alpha-8B-Q8_0", "broken-alpha", "community/alpha-mini-4bit"]),
        ("alpha int4", ["community/alpha-mini-4bit"]),
        ("qwen3", ["someone/Beta-Qwen3", "Alpha-8B-Q8_0", "community/alpha-mini-4bit"]),
        ("mlx", ["community/alpha-mini-4bit"]),
        ("q8_0 gguf", ["Alpha-8B-Q8_0"]),
        ("gamma", []),
    ],
)
def test_a_search_finds_every_word_anywhere_and_names_first(
    shelf: tuple[LibraryModel, ...], text: str, names: list[str]
) -> None:
    assert [one.model.name for one in search_library(shelf, text)] == names
