"""Starting the process that opens the window for the self-test, and making sense of how it ends."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns

import msgspec

from desktop.display import check_display
from desktop.self_test.result import WindowResult
from runtime.config.paths import HOME_VARIABLE
from runtime.values.errors import EngineUnavailableError
from runtime.worker.child import SECRET_VARIABLES

WINDOW_OPTION = "--self-test-window"
RESULT_FILE, SCREENSHOT_FILE = "window.json", "window.png"
PATIENCE_S = 240.0
TAIL_LINES = 8


def look_at_window(environment: Mapping[str, str], screenshot: Path | None) -> WindowResult:
    """Have the window opened and used; put what it looked like into the file `screenshot`. Raises nothing.

    Where there is no display, it is drawn into memory.
    """
    with TemporaryDirectory(prefix="first-token-self-test-") as name:
        folder = Path(name)
        try:
            ended = subprocess.run(
                [*_own_command(), WINDOW_OPTION, name, str(perf_counter_ns())],
                env=_environment(environment, folder / "home"),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return WindowResult(problems=(f"the window had not answered after {PATIENCE_S:.0f} s",))
        except OSError as error:
            return WindowResult(problems=(f"the window's process cannot be started: {error.strerror}",))
        result = _read_result(folder / RESULT_FILE, ended)
        if screenshot is not None and (folder / SCREENSHOT_FILE).exists():
            shutil.copyfile(folder / SCREENSHOT_FILE, screenshot)
        return result


def _own_command() -> list[str]:
    """Return how this installation is started; the packaged app starts itself."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    return [sys.executable, "-P", "-m", "desktop"]


def _environment(base: Mapping[str, str], home: Path) -> dict[str, str]:
    environment = {name: value for name, value in base.items() if name not in SECRET_VARIABLES}
    environment[HOME_VARIABLE] = str(home)
    environment["PYTHONUTF8"] = "1"
    if not getattr(sys, "frozen", False):
        root = str(Path(__file__).resolve().parents[2])
        environment["PYTHONPATH"] = root
    try:
        check_display(environment)
    except EngineUnavailableError:
        environment["QT_QPA_PLATFORM"] = "offscreen"
    return environment


def _read_result(file: Path, ended: subprocess.CompletedProcess[bytes]) -> WindowResult:
    try:
        result = msgspec.json.decode(file.read_bytes(), type=WindowResult)
    except (OSError, msgspec.DecodeError):
        result = WindowResult(problems=("the window did not open",))
    if ended.returncode == 0 and not (result.problems and not result.platform):
        return result
    tail = " | ".join(ended.stderr.decode("utf-8", "replace").strip().splitlines()[-TAIL_LINES:])
    problem = f"the window's process ended with code {ended.returncode}: {tail or 'it said nothing'}"
    return msgspec.structs.replace(result, problems=(*result.problems, problem))
