"""Where the product keeps its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config.paths import app_paths, assets_folder, process_environment

FOLDERS = ("data", "cache", "logs", "models", "config_file")


def test_home_variable_puts_everything_under_one_folder(tmp_path: Path) -> None:
    paths = app_paths({"FIRST_TOKEN_HOME": str(tmp_path / "home")})

    for name in FOLDERS:
        assert getattr(paths, name).is_relative_to(tmp_path / "home")
    assert len({getattr(paths, name) for name in FOLDERS}) == len(FOLDERS)
    assert not (tmp_path / "home").exists()


def test_home_variable_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    assert app_paths({"FIRST_TOKEN_HOME": "here"}).data == tmp_path / "here" / "data"


@pytest.mark.parametrize("environment", [{}, {"FIRST_TOKEN_HOME": ""}, {"FIRST_TOKEN_HOME": "  "}])
def test_platform_places_are_absolute_and_named_after_the_app(environment: dict[str, str]) -> None:
    paths = app_paths(environment)

    for name in FOLDERS:
        assert getattr(paths, name).is_absolute()
        assert "first-token" in str(getattr(paths, name))


def test_assets_ship_with_the_app() -> None:
    assert (app_paths({}).demo_model).is_dir()


def test_assets_lie_beside_the_package_in_a_bundle_too(tmp_path: Path) -> None:
    module = tmp_path / "bundle" / "runtime" / "config" / "paths.pyc"

    assert assets_folder(module) == tmp_path / "bundle" / "assets"


def test_environment_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRST_TOKEN_HOME", "somewhere")
    environment = process_environment()
    environment.clear()

    assert app_paths(process_environment()).data.is_relative_to(Path("somewhere").absolute())
