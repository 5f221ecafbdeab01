"""What the self-test says, and what it never says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from desktop.self_test.engine_check import check_engine
from desktop.self_test.files_check import SUMS_FILE, file_problems
from desktop.self_test.report_text import engine_lines
from desktop.self_test.result import EngineResult
from desktop.self_test.run import writable_folder
from runtime.config.paths import AppPaths, app_paths
from runtime.crash.private_data import PrivateData, private_data_here
from runtime.values.model import EngineName
from tests.runtime.cli.command import first_token

PRIVATE = PrivateData(
    folders=(("/home/ada/Library/first-token", "<data>"), ("/home/ada", "<home>")),
    names=(("ada", "<user>"), ("ada-macbook", "<machine>")),
)


def paths_of(home: Path, assets: Path) -> AppPaths:
    here = app_paths({"FIRST_TOKEN_HOME": str(home)})
    return AppPaths(
        data=here.data,
        cache=here.cache,
        logs=here.logs,
        models=here.models,
        config_file=here.config_file,
        assets=assets,
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("cannot open /home/ada/Library/first-token/x.db", "cannot open <data>/x.db"),
        ("at /home/ada/models by Ada", "at <home>/models by <user>"),
        ("adaptive Canada", "adaptive Canada"),
        ("", ""),
    ],
)
def test_folders_and_names_are_taken_out(text: str, left: str) -> None:
    assert PRIVATE.removed_from(text) == left


def test_the_folders_of_this_machine_are_private(app_home: Path) -> None:
    paths = app_paths({"FIRST_TOKEN_HOME": str(app_home)})
    private = private_data_here(paths)
    told = f"{paths.data / 'chats.db'}, {paths.assets / 'fonts'}, {Path.home() / 'secret'}, {paths.config_file}"
    left = private.removed_from(told)
    assert str(app_home) not in left
    assert str(Path.home()) not in left
    assert str(paths.assets.parent) not in left


def test_the_demo_model_is_as_it_was_listed(app_home: Path) -> None:
    demo_model = app_paths({"FIRST_TOKEN_HOME": str(app_home)}).demo_model
    assert list(file_problems(demo_model)) == []
    listed = {line.partition("  ")[2] for line in (demo_model / SUMS_FILE).read_text(encoding="utf-8").splitlines()}
    weights = {
        path.relative_to(demo_model).as_posix()
        for pattern in ("*.gguf", "mlx-*/*")
        for path in demo_model.glob(pattern)
        if path.suffix != ".md"
    }
    assert listed == weights


def test_a_damaged_a_missing_and_an_unlisted_model_are_named(tmp_path: Path) -> None:
    (problem,) = file_problems(tmp_path)
    assert SUMS_FILE in problem
    (tmp_path / "weights").write_bytes(b"other")
    (tmp_path / SUMS_FILE).write_text(f"{'0' * 64}  weights\n{'0' * 64}  gone\n", encoding="utf-8")
    assert [problem.partition(" of ")[0] for problem in file_problems(tmp_path)] == ["weights", "gone"]


async def test_an_engine_with_the_demo_model_passes(app_home: Path) -> None:
    result = await check_engine(EngineName.LLAMACPP, app_paths({"FIRST_TOKEN_HOME": str(app_home)}))
    assert result.problems == ()
    assert "first token" in result.text
    assert result.stats is not None
    assert "tok/s" in "\n".join(engine_lines(result))


async def test_weights_that_are_damaged_fail_the_engine(app_home: Path, tmp_path: Path) -> None:
    real = app_paths({"FIRST_TOKEN_HOME": str(app_home)}).demo_model / "demo-q8_0.gguf"
    damaged = bytearray(real.read_bytes())
    damaged[-2_000_000:] = b"\x3c\x21" * 1_000_000
    folder = tmp_path / "assets" / "demo-model"
    folder.mkdir(parents=True)
    (folder / real.name).write_bytes(damaged)
    result = await check_engine(EngineName.LLAMACPP, paths_of(app_home, tmp_path / "assets"))
    assert result.problems != ()


async def test_an_engine_without_a_model_fails_and_says_why(app_home: Path, tmp_path: Path) -> None:
    result = await check_engine(EngineName.LLAMACPP, paths_of(app_home, tmp_path))
    assert "demo model" in result.problems[0]
    assert "FAILED" in "\n".join(engine_lines(result))


async def test_an_engine_that_takes_too_long_fails(app_home: Path) -> None:
    paths = app_paths({"FIRST_TOKEN_HOME": str(app_home)})
    expected = EngineResult(name=EngineName.LLAMACPP, problems=("no answer within 0 s",))
    assert await check_engine(EngineName.LLAMACPP, paths, patience_s=0.0) == expected


def test_a_report_goes_elsewhere_where_its_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    folder = writable_folder(tmp_path / "file" / "reports")
    assert folder.is_dir()
    folder.rmdir()
    assert writable_folder(tmp_path / "new" / "reports") == tmp_path / "new" / "reports"


def test_an_option_that_is_not_known_is_wrong_usage() -> None:
    ended = first_token("--self-test", "--nonsense")
    assert ended.returncode == 2
    assert "--report" in ended.stderr


def test_the_self_test_imports_no_qt_into_its_own_process() -> None:
    script = "import sys, desktop.self_test.run; sys.exit(any(name.startswith('PySide6') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0
