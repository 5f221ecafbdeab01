"""What the Hugging Face cache, LM Studio and Ollama keep is found where they keep it, however odd it looks."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from runtime.library.elsewhere import Keeper, find_elsewhere, huggingface_folders, lm_studio_folders
from tests.runtime.library.model_stand_ins import gguf, mlx

needs_links = pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
OLLAMA_TYPE = "application/vnd.ollama.image.model"
DIGEST = "ab" * 32


def kept(home: Path, **environment: str) -> dict[str, tuple[Keeper, int]]:
    """Return name, keeper and size of all that is found; Ollama's service folder is out of the test's reach."""
    found = find_elsewhere({"OLLAMA_MODELS": str(home / "ollama"), **environment}, home)
    return {one.model.name: (one.keeper, one.model.size_bytes) for one in found}


def hub_snapshot(cache: Path, repository: str, commit: str, *, is_main: bool = True) -> Path:
    """Return the folder of a version in a Hugging Face cache, made as the library makes it."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True)
    if is_main:
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text(commit, encoding="utf-8")
    return snapshot


def link(snapshot: Path, name: str, size: int) -> None:
    """Put a file into a version, as a link to a blob."""
    blob = gguf(snapshot.parents[1] / "blobs" / f"{name}-blob", size)
    (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
    (snapshot / name).symlink_to(os.path.relpath(blob, (snapshot / name).parent))


def manifest(root: Path, *parts: str, digest: str = f"sha256:{DIGEST}", media_type: str = OLLAMA_TYPE) -> Path:
    """Write a manifest of Ollama's."""
    file = root.joinpath("manifests", *parts)
    file.parent.mkdir(parents=True, exist_ok=True)
    layers = [{"mediaType": "application/vnd.ollama.image.license", "digest": f"sha256:{'c' * 64}"}]
    layers.append({"mediaType": media_type, "digest": digest})
    file.write_text(json.dumps({"schemaVersion": 2, "layers": layers}), encoding="utf-8")
    return file


# --- the Hugging Face cache ---


@needs_links
def test_the_hugging_face_cache(tmp_path: Path) -> None:
    cache = tmp_path / ".cache" / "huggingface" / "hub"
    whole = hub_snapshot(cache, "mlx-community/One-4bit", "a" * 40)
    for name, size in (("config.json", 2), ("model.safetensors", 30), ("tokenizer.json", 5)):
        link(whole, name, size)
    files = hub_snapshot(cache, "someone/Two-GGUF", "b" * 40)
    link(files, "two-Q4_0.gguf", 7)
    link(files, "Q8_0/two-Q8_0-00001-of-00002.gguf", 8)
    link(files, "Q8_0/two-Q8_0-00002-of-00002.gguf", 9)

    assert kept(tmp_path) == {
        "mlx-community/One-4bit": (Keeper.HUGGING_FACE, 37),
        "someone/Two-GGUF/two-Q4_0": (Keeper.HUGGING_FACE, 7),
        "someone/Two-GGUF/Q8_0/two-Q8_0": (Keeper.HUGGING_FACE, 17),
    }


def test_of_several_versions_the_one_asked_for_last_counts(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    gguf(hub_snapshot(cache, "a/x", "1" * 40) / "new.gguf")
    gguf(hub_snapshot(cache, "a/x", "2" * 40, is_main=False) / "old.gguf")
    older = gguf(hub_snapshot(cache, "b/y", "3" * 40, is_main=False) / "older.gguf").parent
    newest = gguf(hub_snapshot(cache, "b/y", "4" * 40, is_main=False) / "newest.gguf").parent
    os.utime(older, (1, 1))
    os.utime(newest, (2, 2))

    assert set(kept(tmp_path, HF_HUB_CACHE=str(cache))) == {"a/x/new", "b/y/newest"}


@needs_links
def test_what_else_lies_in_the_cache_is_passed_over(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    hub_snapshot(cache, "a/empty", "1" * 40)
    broken = hub_snapshot(cache, "a/broken", "2" * 40)
    (broken / "gone.gguf").symlink_to("../../blobs/none")
    loop = hub_snapshot(cache, "a/loop", "3" * 40)
    (loop / "again").symlink_to(cache, target_is_directory=True)
    (cache / "models--a--file").write_text("x", encoding="utf-8")
    (cache / "models--a--odd" / "refs" / "main").mkdir(parents=True)
    strange = hub_snapshot(cache, "a/strange", "4" * 40)
    (strange.parents[1] / "refs" / "main").write_text("../../../../etc", encoding="utf-8")
    gguf(cache / "datasets--a--b" / "snapshots" / ("5" * 40) / "data.gguf")
    (cache / ".locks").mkdir()

    assert kept(tmp_path, HF_HUB_CACHE=str(cache)) == {}


def test_where_the_cache_is(tmp_path: Path) -> None:
    places = {
        "HF_HUB_CACHE": tmp_path / "x",
        "HUGGINGFACE_HUB_CACHE": tmp_path / "x",
        "HF_HOME": tmp_path / "x" / "hub",
        "XDG_CACHE_HOME": tmp_path / "x" / "huggingface" / "hub",
    }
    for name, place in places.items():
        assert huggingface_folders({name: str(tmp_path / "x")}, tmp_path) == (place,)
        assert huggingface_folders({name: "~/x"}, tmp_path) == (place,)
    assert huggingface_folders({"HF_HOME": "a", "HF_HUB_CACHE": "/b"}, tmp_path) == (Path("/b"),)
    assert huggingface_folders({}, tmp_path) == (tmp_path / ".cache" / "huggingface" / "hub",)


# --- LM Studio ---


def test_lm_studio_old_and_new(tmp_path: Path) -> None:
    mlx(tmp_path / ".lmstudio" / "models" / "mlx-community" / "One")
    gguf(tmp_path / ".cache" / "lm-studio" / "models" / "someone" / "two" / "two.gguf")

    assert kept(tmp_path) == {
        "mlx-community/One": (Keeper.LM_STUDIO, 22),
        "someone/two/two": (Keeper.LM_STUDIO, 10),
    }


def test_lm_studio_that_was_moved(tmp_path: Path) -> None:
    (tmp_path / ".lmstudio-home-pointer").write_text(f"{tmp_path / 'moved'}\n", encoding="utf-8")
    (tmp_path / "moved").mkdir()
    settings = {"downloadsFolder": str(tmp_path / "disk" / "models"), "other": [1]}
    (tmp_path / "moved" / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    gguf(tmp_path / "moved" / "models" / "a" / "b" / "one.gguf")
    gguf(tmp_path / "disk" / "models" / "c" / "d" / "two.gguf")

    assert set(kept(tmp_path)) == {"a/b/one", "c/d/two"}


@pytest.mark.parametrize("content", ["", "[]", '{"downloadsFolder": 7}', "{", "x" * 2_000_000])
def test_settings_of_lm_studio_that_mean_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / ".lmstudio").mkdir()
    (tmp_path / ".lmstudio" / "settings.json").write_text(content, encoding="utf-8")

    assert lm_studio_folders(tmp_path) == (
        tmp_path / ".lmstudio" / "models",
        tmp_path / ".cache" / "lm-studio" / "models",
    )


# --- Ollama ---


def test_ollama_names_what_its_manifests_name(tmp_path: Path) -> None:
    root = tmp_path / "ollama"
    gguf(root / "blobs" / f"sha256-{DIGEST}", 40)
    gguf(root / "blobs" / f"sha256-{'d' * 64}", 50)
    gguf(root / "blobs" / f"sha256-{'e' * 64}", 60)
    manifest(root, "registry.ollama.ai", "library", "llama3.2", "3b")
    manifest(root, "registry.ollama.ai", "someone", "mine", "latest", digest=f"sha256:{'d' * 64}")
    manifest(root, "hf.co", "other", "repo", "Q4_K_M", digest=f"sha256:{'e' * 64}")

    assert kept(tmp_path) == {
        "llama3.2:3b": (Keeper.OLLAMA, 40),
        "someone/mine:latest": (Keeper.OLLAMA, 50),
        "hf.co/other/repo:Q4_K_M": (Keeper.OLLAMA, 60),
    }


def test_two_tags_of_one_model_are_one_model(tmp_path: Path) -> None:
    root = tmp_path / "ollama"
    gguf(root / "blobs" / f"sha256-{DIGEST}")
    manifest(root, "registry.ollama.ai", "library", "llama3.2", "3b")
    manifest(root, "registry.ollama.ai", "library", "llama3.2", "latest")

    assert list(kept(tmp_path)) == ["llama3.2:3b"]


@pytest.mark.parametrize(
    "digest", ["sha256:../../../etc/passwd", f"sha256:{'f' * 64}", "", "sha256:short", f"sha512:{DIGEST}"]
)
def test_a_manifest_that_leads_nowhere_is_passed_over(tmp_path: Path, digest: str) -> None:
    manifest(tmp_path / "ollama", "registry.ollama.ai", "library", "x", "latest", digest=digest)

    assert kept(tmp_path) == {}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"layers": 3}', b"\xff\xfe", b"[" * 10_000])
def test_a_manifest_that_is_none_is_passed_over(tmp_path: Path, content: bytes) -> None:
    root = tmp_path / "ollama"
    gguf(root / "blobs" / f"sha256-{DIGEST}")
    manifest(root, "registry.ollama.ai", "library", "x", "latest").write_bytes(content)
    manifest(root, "registry.ollama.ai", "library", "adapter", "latest", media_type="application/other")

    assert kept(tmp_path) == {}


def test_nothing_at_all(tmp_path: Path) -> None:
    assert kept(tmp_path) == {}


@needs_links
def test_a_model_that_two_programs_share_is_found_once(tmp_path: Path) -> None:
    snapshot = hub_snapshot(tmp_path / ".cache" / "huggingface" / "hub", "a/x", "1" * 40)
    mlx(snapshot)
    shared = tmp_path / ".lmstudio" / "models" / "a"
    shared.mkdir(parents=True)
    (shared / "x").symlink_to(snapshot, target_is_directory=True)

    assert kept(tmp_path) == {"a/x": (Keeper.HUGGING_FACE, 22)}
