"""What opening the window costs, against a bare PySide6 window: time to the first paint, memory, and CPU when idle.

Every round opens both, one after the other. The first paint counts once it is on the screen: when the event loop is
back from painting. The app paints its window before it fills it; when everything is in it is reported, too. Memory is
that of the window's process alone, after the demo model is loaded and everything is quiet; the model's worker is not in
it. Python's byte code is compiled before, as it is where the app is installed.

    QT_QPA_PLATFORM=offscreen uv run python -m tests.benchmarks.window_start --rounds 15
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import msgspec
import psutil

from runtime.config.paths import HOME_VARIABLE
from tests.benchmarks.interleaved import machine, measure, paired_ratio, summary

APP, BARE = "first-token", "bare window"
NS_PER_MS = 1_000_000
BYTES_PER_MB = 1_000_000
PATIENCE_S = 60.0

# Each writes the time at which its window is on the screen, and then that at which everything is in it.
BARE_WINDOW = """
import sys, time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow

def note():
    print(time.monotonic_ns(), flush=True)

class Window(QMainWindow):
    painted = False

    def paintEvent(self, event):
        super().paintEvent(event)
        if not self.painted:
            self.painted = True
            QTimer.singleShot(0, note)
            QTimer.singleShot(0, note)

application = QApplication(sys.argv)
window = Window()
window.setCentralWidget(QLabel("Hello"))
window.resize(1280, 820)
window.show()
application.exec()
"""

# The app as its entry starts it; what is noted is noted by wrapping two of its functions as they are imported.
WHOLE_WINDOW = """
import sys, time
from importlib.machinery import PathFinder

def note():
    print(time.monotonic_ns(), flush=True)

def note_after(owner, name, when):
    function = getattr(owner, name)

    def noted(*arguments):
        result = function(*arguments)
        when()
        return result

    setattr(owner, name, noted)

def note_when_quiet():
    from PySide6.QtCore import QTimer
    QTimer.singleShot(0, note)

HOOKS = {
    "desktop.first_paint": lambda module: note_after(module.FirstPaint, "show", note),
    "desktop.main_window": lambda module: note_after(module.MainWindow, "place", note_when_quiet),
}

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target) if name in HOOKS else None
        if spec is not None:
            load = spec.loader.exec_module
            spec.loader.exec_module = lambda module: (load(module), HOOKS[name](module))
        return spec

sys.meta_path.insert(0, Finder)
sys.argv = ["first-token"]
from desktop.__main__ import main
sys.exit(main())
"""


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """One window: how long it took, and what it takes once it is quiet."""

    first_paint_ms: float
    filled_ms: float
    resident_mb: float
    unshared_mb: float
    idle_cpu_ms: float
    idle_wakes: int


def open_once(script: str, home: Path, *, settle_s: float, idle_s: float) -> Opened:
    """Open a window, wait until it is quiet, watch it for `idle_s` and end it."""
    environment = {**os.environ, HOME_VARIABLE: str(home), "PYTHONPYCACHEPREFIX": str(home / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    begun_ns = time.monotonic_ns()
    with subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            noted_ms = [(int(child.stdout.readline()) - begun_ns) / NS_PER_MS for _ in range(2)]
            time.sleep(settle_s)
            return _look_at(psutil.Process(child.pid), noted_ms, idle_s)
        finally:
            workers = psutil.Process(child.pid).children(recursive=True)
            child.terminate()
            psutil.wait_procs(workers, timeout=PATIENCE_S)


def _look_at(process: psutil.Process, noted_ms: list[float], idle_s: float) -> Opened:
    memory = process.memory_full_info()
    cpu_before, switches_before = process.cpu_times(), process.num_ctx_switches().voluntary
    time.sleep(idle_s)
    cpu_after, switches_after = process.cpu_times(), process.num_ctx_switches().voluntary
    return Opened(
        first_paint_ms=noted_ms[0],
        filled_ms=noted_ms[1],
        resident_mb=memory.rss / BYTES_PER_MB,
        unshared_mb=memory.uss / BYTES_PER_MB,
        idle_cpu_ms=1000 * (sum(cpu_after[:2]) - sum(cpu_before[:2])),
        idle_wakes=switches_after - switches_before,
    )


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--settle", type=float, default=5.0, help="seconds from the first paint to the look at memory")
    parser.add_argument(
        "--rest", type=float, default=12.0, help="seconds until the caret stands still, for the idle round"
    )
    parser.add_argument("--idle", type=float, default=10.0, help="seconds of looking on, in a round of its own")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parsed()
    scripts = {APP: WHOLE_WINDOW, BARE: BARE_WINDOW}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        opened: dict[str, list[Opened]] = {name: [] for name in scripts}

        def first_paint(name: str) -> float:
            opened[name].append(open_once(scripts[name], home, settle_s=options.settle, idle_s=0))
            return opened[name][-1].first_paint_ms

        times = measure({name: partial(first_paint, name) for name in scripts}, options.rounds)
        idle = {name: open_once(scripts[name], home, settle_s=options.rest, idle_s=options.idle) for name in scripts}
    sys.stdout.write(f"{machine()}, {os.environ.get('QT_QPA_PLATFORM', 'offscreen')}\n")
    report(times, opened, idle, options.idle)


def report(
    times: dict[str, list[float]], opened: dict[str, list[Opened]], idle: dict[str, Opened], idle_s: float
) -> None:
    """Print time, memory and idle cost of both, and what the one is of the other."""
    for name, values in times.items():
        sys.stdout.write(summary(f"{name}, first paint", values, "ms") + "\n")
    sys.stdout.write(f"{APP} ÷ {BARE}, first paint: {paired_ratio(times[APP], times[BARE])}\n")
    filled = [one.filled_ms for one in opened[APP][1:]]
    sys.stdout.write(summary(f"{APP}, everything in it", filled, "ms") + "\n")
    for kind in ("resident_mb", "unshared_mb"):
        of_app, of_bare = ([getattr(one, kind) for one in opened[name]] for name in (APP, BARE))
        sys.stdout.write(f"{kind}: {statistics.median(of_app):.1f} and {statistics.median(of_bare):.1f} MB; ")
        sys.stdout.write(f"{APP} ÷ {BARE}: {paired_ratio(of_app, of_bare)}\n")
    for name, one in idle.items():
        sys.stdout.write(
            f"{name}, idle for {idle_s:.0f} s: {one.idle_cpu_ms:.0f} ms CPU, woken {one.idle_wakes} times\n"
        )


if __name__ == "__main__":
    main()
