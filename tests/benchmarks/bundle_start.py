"""What the packaged app costs at the start, against the same app from source: first paint, and first token.

Every round opens both as the self-test does: a window with a home of its own that asks the demo model a question at
once and closes. Before a cold start, what the system holds in memory of the app's files is dropped, as after a restart
of the machine (Linux). From source, Python's byte code is compiled before, as it is in the bundle.

    xvfb-run -a uv run python -m tests.benchmarks.bundle_start dist/first-token --rounds 10
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from desktop.self_test.result import WindowResult
from desktop.self_test.window_process import RESULT_FILE
from runtime.config.paths import HOME_VARIABLE
from tests.benchmarks.interleaved import machine, measure, paired_ratio, summary

BUNDLE, SOURCE = "bundle", "from source"
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120.0


def open_once(command: list[str], byte_code: str, begin: Callable[[], None] = lambda: None) -> WindowResult:
    """Open a window that asks a question and closes; `begin` is called right before."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, HOME_VARIABLE: folder, "PYTHONPYCACHEPREFIX": byte_code}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        begin()
        arguments = [*command, "--self-test-window", folder, str(time.perf_counter_ns())]
        subprocess.run(arguments, env=environment, check=True, timeout=PATIENCE_S, cwd=ROOT, capture_output=True)
        result = msgspec.json.decode((Path(folder) / RESULT_FILE).read_bytes(), type=WindowResult)
    assert result.problems == (), result.problems
    return result


def drop_from_memory(files: Iterable[Path]) -> None:
    """Have the system forget what it holds of these files."""
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="the folder that PyInstaller made")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--cold", type=int, default=5, help="cold starts of the bundle, after that")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as byte_code:
        measure_and_print(parsed(), byte_code)


def measure_and_print(options: argparse.Namespace, byte_code: str) -> None:
    """Measure and print, with Python's byte code in the folder of that name."""
    bundle = options.bundle.resolve()
    commands = {BUNDLE: [str(bundle / "first-token")], SOURCE: [sys.executable, "-m", "desktop"]}
    opened: dict[str, list[WindowResult]] = {name: [] for name in commands}

    def first_paint(name: str) -> Callable[[], float]:
        def measured() -> float:
            opened[name].append(open_once(commands[name], byte_code))
            return opened[name][-1].first_paint_ms or 0.0

        return measured

    times = measure({name: first_paint(name) for name in commands}, options.rounds)
    files = [path for path in bundle.rglob("*") if path.is_file() and not path.is_symlink()]
    cold = [open_once(commands[BUNDLE], byte_code, lambda: drop_from_memory(files)) for _ in range(options.cold)]
    sys.stdout.write(f"{machine()}, {opened[BUNDLE][0].platform}\n")
    for name, values in times.items():
        sys.stdout.write(summary(f"{name}, first paint", values, "ms") + "\n")
        tokens = [one.first_token_ms or 0.0 for one in opened[name][1:]]
        sys.stdout.write(summary(f"{name}, first token", tokens, "ms") + "\n")
    sys.stdout.write(f"{BUNDLE} ÷ {SOURCE}, first paint: {paired_ratio(times[BUNDLE], times[SOURCE])}\n")
    for what in ("first_paint_ms", "first_token_ms"):
        values = [getattr(one, what) for one in cold]
        sys.stdout.write(f"{BUNDLE}, cold, {what}: median {statistics.median(values):.0f}, at most {max(values):.0f}\n")


if __name__ == "__main__":
    main()
