"""What the model picker costs the window: opening it, typing in it, and searching 500 installed models.

Every round starts the app anew over a home with 500 models, waits until it is quiet, and opens the picker for the
first time and for the second; and starts it once more to open the picker right after the start. Opened means painted:
the event loop is back from it. Then every letter of a search is typed on two pages; what counts is the time for which
the window could do nothing else.

    QT_QPA_PLATFORM=offscreen uv run python -m tests.benchmarks.model_picker --rounds 5
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import qasync
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QLineEdit, QTabBar

from desktop.theme.control_style import ControlStyle
from runtime.config.paths import HOME_VARIABLE, app_paths
from tests.benchmarks.interleaved import machine
from tests.desktop.window.opened_window import QUICK, Home, OpenedWindow

MODELS = 500
TYPED = "model-4 q8_0"
QUIET_S = 5.0
MS = 1000


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One start of the app; times in ms."""

    first_open_ms: float
    second_open_ms: float
    typing_catalog_ms: tuple[float, ...]
    typing_installed_ms: tuple[float, ...]
    search_ms: float


def main() -> int:
    """Run the rounds and print what they came to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", type=float, help="run one round in this process after so many seconds; print JSON")
    options = parser.parse_args()
    if options.one is not None:
        sys.stdout.write(msgspec.json.encode(one_round(Path(os.environ[HOME_VARIABLE]), options.one)).decode())
        return 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        install_models(app_paths({HOME_VARIABLE: folder}).models)
        pairs = [(fresh_round(home, 0.0), fresh_round(home, QUIET_S)) for _ in range(options.rounds)]
    report([hasty for hasty, _ in pairs], [quiet for _, quiet in pairs])
    return 0


def install_models(models: Path) -> None:
    """Put so many models into the folder, all with the same weights."""
    from tests.models.random_gguf import GgufRecipe, write_random_gguf  # noqa: PLC0415 - not where rounds are run

    first = models / "publisher" / "model-0" / "model-0-Q8_0.gguf"
    write_random_gguf(first, GgufRecipe(weights="Q8_0"))
    for number in range(1, MODELS):
        path = models / "publisher" / f"model-{number}" / f"model-{number}-Q8_0.gguf"
        path.parent.mkdir(parents=True)
        path.hardlink_to(first)


def fresh_round(home: Path, quiet_s: float) -> Round:
    """Run a round in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.model_picker", "--one", str(quiet_s)]
    environment = {**os.environ, HOME_VARIABLE: str(home), "HF_ENDPOINT": "http://127.0.0.1:1"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    return msgspec.json.decode(done.stdout, type=Round)


def one_round(home: Path, quiet_s: float) -> Round:
    """Open the app and the picker, and type."""
    application = QApplication([])
    application.setQuitOnLastWindowClosed(False)
    application.setStyle(ControlStyle())
    with qasync.QEventLoop(application) as loop:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(_round(Home(home), quiet_s))


async def _round(home: Home, quiet_s: float) -> Round:
    async with home.open_scripted(QUICK) as window:
        await asyncio.sleep(quiet_s)
        first = await _open(window)
        second = await _open(window)
        catalog = _type(window)
        window.find(QTabBar, "pickerTabBar").setCurrentIndex(1)
        installed = _type(window)
        from runtime.library.local_library import search_library  # noqa: PLC0415 - the picker has imported it by now

        models = window.states.library.states.library.models
        started = time.perf_counter()
        found = search_library(models, TYPED)
        search_ms = (time.perf_counter() - started) * MS
        assert len(models) > MODELS, "the models are listed"
        assert found, "some are found"
    return Round(
        first_open_ms=first,
        second_open_ms=second,
        typing_catalog_ms=catalog,
        typing_installed_ms=installed,
        search_ms=search_ms,
    )


async def _open(window: OpenedWindow) -> float:
    started = time.perf_counter()
    window.choose("findModelsAction")
    dialog = window.find(QDialog, "modelPicker")
    dialog.repaint()
    elapsed_ms = (time.perf_counter() - started) * MS
    await window.idle("filled picker")
    dialog.close()
    return elapsed_ms


def _type(window: OpenedWindow) -> tuple[float, ...]:
    """Type letter by letter into the search field; return how long each took, repainting included."""
    field = window.find(QLineEdit, "modelSearchField")
    field.clear()
    times = []
    for letter in TYPED:
        started = time.perf_counter()
        QTest.keyClicks(field, letter)
        window.find(QDialog, "modelPicker").repaint()
        times.append((time.perf_counter() - started) * MS)
    return tuple(times)


def report(hasty: list[Round], rounds: list[Round]) -> None:
    """Print medians and the worst."""
    print(machine())  # noqa: T201 - what it is for

    def line(name: str, values: list[float]) -> None:
        print(f"{name:<42} median {statistics.median(values):6.1f} ms, worst {max(values):6.1f} ms")  # noqa: T201

    line("opening, the first time", [one.first_open_ms for one in rounds])
    line("opening, right after the start", [one.first_open_ms for one in hasty])
    line("opening again", [one.second_open_ms for one in rounds])
    line("a letter, curated list", [ms for one in rounds for ms in one.typing_catalog_ms])
    line(f"a letter, {MODELS} installed models", [ms for one in rounds for ms in one.typing_installed_ms])
    line(f"search of {MODELS} models", [one.search_ms for one in rounds])


if __name__ == "__main__":
    sys.exit(main())
