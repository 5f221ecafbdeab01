"""From what a user types to a model and an engine; impossible choices say why."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from runtime.config.paths import AppPaths, app_paths
from runtime.config.settings import Settings
from runtime.library.installed import list_models
from runtime.library.local import EnginePlatform, ResolvedModel, engine_platform, resolve_model
from runtime.metrics.device import read_device
from runtime.values.errors import EngineUnavailableError, ModelMissingError, ModelUnsupportedError
from runtime.values.model import EngineName, ModelFormat

MLX, LLAMACPP, SCRIPTED = EngineName.MLX, EngineName.LLAMACPP, EngineName.SCRIPTED
MAC = EnginePlatform(prefers_mlx=True, installed=frozenset({MLX, LLAMACPP, SCRIPTED}))
PC = EnginePlatform(prefers_mlx=False, installed=frozenset({LLAMACPP, SCRIPTED}))
LINUX_WITH_MLX = EnginePlatform(prefers_mlx=False, installed=frozenset({MLX, LLAMACPP, SCRIPTED}))


@pytest.fixture
def paths(tmp_path: Path) -> AppPaths:
    found = app_paths({"FIRST_TOKEN_HOME": str(tmp_path)})
    found.models.mkdir(parents=True)
    return found


def _gguf(file: Path, size: int = 10) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(size))
    return file


def _mlx(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(bytes(20))
    return folder


def _resolve(
    name: str, paths: AppPaths, platform: EnginePlatform = LINUX_WITH_MLX, engine: EngineName | None = None
) -> ResolvedModel:
    return resolve_model(name, engine, paths, Settings(), platform)


# --- listing ---


def test_installed_models_are_listed_by_name_with_their_size(paths: AppPaths) -> None:
    _gguf(paths.models / "Zeta-Q4_K_M.gguf", 30)
    _mlx(paths.models / "community" / "Alpha-4bit")
    _gguf(paths.models / "publisher" / "repo" / "beta.gguf")
    _gguf(paths.models / "big-00001-of-00002.gguf", 5)
    _gguf(paths.models / "big-00002-of-00002.gguf", 7)
    _gguf(paths.models / "mmproj-vision.gguf")
    _gguf(paths.models / ".cache" / "half.gguf")
    _gguf(paths.models / "a" / "b" / "c" / "d" / "too-deep.gguf")
    (paths.models / "notes.txt").write_text("x", encoding="utf-8")
    (paths.models / "empty").mkdir()

    models = [model for model in list_models(paths, Settings()) if not model.is_demo]

    assert [(model.name, model.format, model.size_bytes) for model in models] == [
        ("big", ModelFormat.GGUF, 12),
        ("community/Alpha-4bit", ModelFormat.MLX, 22),
        ("publisher/repo/beta", ModelFormat.GGUF, 10),
        ("Zeta-Q4_K_M", ModelFormat.GGUF, 30),
    ]


def test_folders_of_the_settings_count_too_and_may_be_missing(paths: AppPaths, tmp_path: Path) -> None:
    _gguf(tmp_path / "elsewhere" / "one.gguf")
    settings = Settings(models_folders=(str(tmp_path / "elsewhere"), str(tmp_path / "none")))

    assert "one" in [model.name for model in list_models(paths, settings)]


def test_the_demo_model_is_always_there_and_says_so(paths: AppPaths) -> None:
    demo = [model for model in list_models(paths, Settings()) if model.is_demo]

    assert {(model.name, model.format) for model in demo} == {
        (f"demo:{width}", model_format)
        for width in ("int4", "int8")
        for model_format in (ModelFormat.MLX, ModelFormat.GGUF)
    }
    assert all(model.size_bytes > 1_000_000 for model in demo)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_a_folder_that_links_to_itself_ends(paths: AppPaths) -> None:
    (paths.models / "loop").symlink_to(paths.models, target_is_directory=True)
    _gguf(paths.models / "one.gguf")

    assert [model.name for model in list_models(paths, Settings()) if not model.is_demo] == ["one"]


# --- the demo model ---


@pytest.mark.parametrize(
    ("platform", "engine", "expected"),
    [(MAC, None, MLX), (PC, None, LLAMACPP), (LINUX_WITH_MLX, None, LLAMACPP), (LINUX_WITH_MLX, MLX, MLX)],
)
def test_the_demo_model_follows_the_engine(
    paths: AppPaths, platform: EnginePlatform, engine: EngineName | None, expected: EngineName
) -> None:
    for name, width in (("demo", "8"), ("demo:int8", "8"), ("demo:int4", "4"), ("demo:INT4", "4")):
        model = _resolve(name, paths, platform, engine)
        assert (model.engine, model.is_demo, model.name) == (expected, True, f"demo:int{width}")
        assert model.format is (ModelFormat.MLX if expected is MLX else ModelFormat.GGUF)
        assert width in model.path.name
        assert model.path.exists()


def test_auto_takes_the_engine_that_is_there(paths: AppPaths) -> None:
    without_mlx = msgspec.structs.replace(PC, prefers_mlx=True)

    assert _resolve("demo", paths, without_mlx).engine is LLAMACPP


def test_no_engine_at_all(paths: AppPaths) -> None:
    with pytest.raises(EngineUnavailableError, match="xllamacpp"):
        _resolve("demo", paths, EnginePlatform(prefers_mlx=False, installed=frozenset({SCRIPTED})))


def test_an_unknown_variant_names_the_known_ones(paths: AppPaths) -> None:
    with pytest.raises(ModelMissingError, match="demo:int8 or demo:int4"):
        _resolve("demo:int3", paths)


def test_an_installation_without_its_demo_model(paths: AppPaths, tmp_path: Path) -> None:
    bare = msgspec.structs.replace(paths, assets=tmp_path / "none")

    with pytest.raises(ModelMissingError, match="Reinstall"):
        _resolve("demo", bare)


# --- names and paths ---


def test_names_and_paths_find_the_model(paths: AppPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _gguf(paths.models / "publisher" / "one.gguf")
    folder = _mlx(tmp_path / "work" / "two")
    monkeypatch.chdir(tmp_path / "work")

    for name in ("publisher/one", "one", str(file)):
        model = _resolve(name, paths)
        assert (model.path, model.engine, model.format) == (file, LLAMACPP, ModelFormat.GGUF)
    for name in ("two", "./two", str(folder), str(folder / "model.safetensors")):
        model = _resolve(name, paths)
        assert (model.path, model.engine, model.name) == (folder, MLX, "two")


def test_a_folder_with_one_gguf_file_stands_for_it(paths: AppPaths, tmp_path: Path) -> None:
    first = _gguf(tmp_path / "repo" / "model-Q4_0.gguf")
    _gguf(tmp_path / "repo" / "mmproj.gguf")
    assert _resolve(str(tmp_path / "repo"), paths).path == first

    _gguf(tmp_path / "repo" / "model-Q8_0.gguf")
    with pytest.raises(ModelMissingError, match=r"model-Q4_0\.gguf, model-Q8_0\.gguf"):
        _resolve(str(tmp_path / "repo"), paths)


def test_an_empty_folder_is_no_model_whatever_the_engine(paths: AppPaths, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    for engine in (None, MLX, LLAMACPP):
        with pytest.raises(ModelMissingError, match="holds no model"):
            _resolve(str(tmp_path / "empty"), paths, PC, engine)


def test_a_model_installed_in_both_formats_follows_the_engine(paths: AppPaths) -> None:
    _gguf(paths.models / "gguf" / "Same.gguf")
    _mlx(paths.models / "mlx" / "Same")

    assert _resolve("Same", paths, MAC).engine is MLX
    assert _resolve("Same", paths, PC).engine is LLAMACPP
    assert _resolve("Same", paths, MAC, LLAMACPP).engine is LLAMACPP


def test_a_name_that_two_models_share_is_asked_back(paths: AppPaths) -> None:
    _gguf(paths.models / "a" / "one.gguf")
    _gguf(paths.models / "b" / "one.gguf")

    with pytest.raises(ModelMissingError, match="2 installed models"):
        _resolve("one", paths)
    assert _resolve("b/one", paths).path == paths.models / "b" / "one.gguf"


def test_a_missing_name_suggests_close_ones(paths: AppPaths) -> None:
    _gguf(paths.models / "publisher" / "Qwen3-0.6B-Q8_0.gguf")

    with pytest.raises(ModelMissingError, match=r"Did you mean publisher/Qwen3-0\.6B-Q8_0\?"):
        _resolve("qwen3-0.6b", paths)


@pytest.mark.parametrize("name", ["", "  ", "nothing like it", "/no/such/path", "a\0b", "x" * 5000, "~nobody-here/x"])
def test_nothing_of_that_name(paths: AppPaths, name: str) -> None:
    with pytest.raises(ModelMissingError) as raised:
        _resolve(name, paths)
    assert raised.value.what.isprintable()


# --- impossible choices ---


def test_an_engine_that_does_not_read_the_format(paths: AppPaths) -> None:
    _gguf(paths.models / "one.gguf")
    _mlx(paths.models / "two")

    with pytest.raises(ModelUnsupportedError, match=r"GGUF file, which mlx does not read.*--engine llamacpp"):
        _resolve("one", paths, engine=MLX)
    with pytest.raises(ModelUnsupportedError, match=r"which llamacpp does not read.*--engine mlx"):
        _resolve("two", paths, engine=LLAMACPP)


def test_an_engine_that_is_not_installed(paths: AppPaths) -> None:
    _mlx(paths.models / "two")

    with pytest.raises(EngineUnavailableError, match="Apple Silicon"):
        _resolve("two", paths, PC)
    with pytest.raises(EngineUnavailableError, match="mlx"):
        _resolve("demo", paths, PC, MLX)


def test_a_script_goes_to_the_scripted_engine(paths: AppPaths, tmp_path: Path) -> None:
    model = _resolve(str(tmp_path / "play.json"), paths, engine=SCRIPTED)

    assert (model.engine, model.format, model.path) == (SCRIPTED, ModelFormat.SCRIPT, tmp_path / "play.json")


def test_the_platform_is_what_is_installed() -> None:
    device = read_device()
    found = engine_platform(device, Settings(), {})

    assert {MLX, LLAMACPP, SCRIPTED} == found.installed
    apple = msgspec.structs.replace(device, os="macOS", architecture="arm64")
    assert engine_platform(apple, Settings(), {}).prefers_mlx
    pc = msgspec.structs.replace(device, os="Linux", architecture="x86_64")
    assert not engine_platform(pc, Settings(), {}).prefers_mlx


def test_a_native_server_is_an_engine_without_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("runtime.library.local.find_spec", lambda _: None)
    server = _gguf(tmp_path / "llama-server")
    server.chmod(0o755)

    def installed(settings: Settings, search_path: str) -> bool:
        return LLAMACPP in engine_platform(read_device(), settings, {"PATH": search_path}).installed

    assert not installed(Settings(), "")
    assert installed(Settings(), str(tmp_path))
    assert installed(Settings(llama_server=str(server)), "")
