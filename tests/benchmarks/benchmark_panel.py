"""What the benchmark panel costs while it measures: processor time of the window's process, in per cent of a core.

A scripted model writes as fast as a large one does, so that nearly all time is waiting. The window's own thread paints
and counts down; other threads take the tokens, as the command line does. Beside it, span by span, the same window with
the panel open and nothing running.

    xvfb-run -a python -m tests.benchmarks.benchmark_panel --rounds 3

Without QT_QPA_PLATFORM and a display the window is drawn into memory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import qasync
from PySide6.QtWidgets import QApplication

from desktop.theme.control_style import ControlStyle
from tests.benchmarks.interleaved import machine, summary
from tests.desktop.bench.opened_benchmark import OpenedBenchmark, open_benchmark
from tests.desktop.window.opened_window import Home, until
from tests.runtime.bench.running import FAST

MODEL = msgspec.structs.replace(FAST, decode_tokens_per_second=60.0, prefill_tokens_per_second=1000.0)
TESTS = "pp64, tg128"
PER_CENT = 100.0


class Share(msgspec.Struct, frozen=True):
    """Processor time of the window's thread and of the whole process, in per cent of a core."""

    window: float
    process: float


async def share_over(span_s: float) -> Share:
    """Return what the process takes while nobody does anything."""
    wall, thread, process = time.perf_counter(), time.thread_time(), time.process_time()
    await asyncio.sleep(span_s)
    passed = time.perf_counter() - wall
    return Share(PER_CENT * (time.thread_time() - thread) / passed, PER_CENT * (time.process_time() - process) / passed)


async def measuring_share(bench: OpenedBenchmark, span_s: float) -> Share:
    """Return what the process takes in the middle of a run."""
    await bench.begin()
    await until(lambda: len(bench.states.bench.outcome.rows) == 2, "rows of both tests")
    share = await share_over(span_s)
    bench.window.click("benchmarkCancelButton")
    await bench.ended()
    return share


async def compared(rounds: int, span_s: float) -> None:
    """Print what both cost."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.use_script(MODEL)
        async with home.open() as window:
            bench = await open_benchmark(window)
            bench.name_tests(TESTS, repetitions=500)
            idle, busy = [], []
            for number in range(rounds):
                idle.append(await share_over(span_s))
                busy.append(await measuring_share(bench, span_s))
                sys.stderr.write(f"round {number + 1}/{rounds}  {busy[-1]}\n")
    print(machine())  # noqa: T201 - a report on stdout
    for name, shares in (("measuring", busy), ("panel open, nothing running", idle)):
        print(summary(f"{name}: window's thread", [one.window for one in shares], "% of a core"))  # noqa: T201
        print(summary(f"{name}: whole process", [one.process for one in shares], "% of a core"))  # noqa: T201


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--span", type=float, default=10.0, help="seconds of each")
    options = parser.parse_args()
    if "QT_QPA_PLATFORM" not in os.environ and not os.environ.get("DISPLAY"):
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    application = QApplication([])
    application.setQuitOnLastWindowClosed(False)
    application.setStyle(ControlStyle())
    loop = qasync.QEventLoop(application)
    asyncio.set_event_loop(loop)
    with loop:
        loop.run_until_complete(compared(options.rounds, options.span))


if __name__ == "__main__":
    main()
