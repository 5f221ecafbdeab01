"""Where no window can open, the app says so in one line, names what works, and ends with a code that says it failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from desktop.display import check_display
from runtime.config.paths import HOME_VARIABLE
from runtime.values.errors import EngineUnavailableError

NOT_WANTED = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_without_a_display_the_command_line_is_named(app_home: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in NOT_WANTED}
    ended = subprocess.run(
        [sys.executable, "-m", "desktop"],
        env={**environment, HOME_VARIABLE: str(app_home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert "display" in ended.stderr
    assert "`first-token chat`" in ended.stderr
    assert not app_home.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_qt_is_not_imported_where_it_could_not_open_a_window(app_home: Path) -> None:
    script = (
        "import sys\nfrom desktop.__main__ import main\nsys.argv = ['first-token']\nassert main() == 1\n"
        "assert not any(name.startswith('PySide6') for name in sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name not in NOT_WANTED}
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, HOME_VARIABLE: str(app_home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("environment", [{"DISPLAY": ":0"}, {"WAYLAND_DISPLAY": "wayland-0"}, {"QT_QPA_PLATFORM": "x"}])
def test_any_kind_of_display_will_do(environment: dict[str, str]) -> None:
    check_display(environment, platform="linux")


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_need_no_variable(platform: str) -> None:
    check_display({}, platform=platform)


def test_an_empty_name_is_no_display() -> None:
    with pytest.raises(EngineUnavailableError):
        check_display({"DISPLAY": ""}, platform="linux")
