"""`first-token bench`: runs a plan, shows how far it is on stderr, and prints the results on stdout."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TextIO

from runtime.bench.comparison import Comparison, EarlierRow, compare, read_earlier
from runtime.bench.conditions import SystemProbe
from runtime.bench.history import FILE_NAME, History, RunRecord, open_history, unix_ms_now
from runtime.bench.model_identity import CACHE_FILE_NAME, HashCache
from runtime.bench.plan import BenchPlan
from runtime.bench.progress import Activity, BenchProgress
from runtime.bench.record import BenchRow, RowStatus
from runtime.bench.report import OutputFormat, rendered
from runtime.bench.reproduction import command_line
from runtime.bench.runner import BenchResult, BenchRun
from runtime.cli.bench_options import FROM_HISTORY, plan_from
from runtime.cli.streams import write_line, writing
from runtime.cli.terminal import without_controls
from runtime.client.launch import make_supervisor
from runtime.config.paths import AppPaths
from runtime.values.errors import StoreError
from runtime.values.wording import duration_text, milliseconds_text, speed_text

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
CLEAR_LINE = "\r\x1b[K"
ACTIVITY_WORDS = {
    Activity.IDENTIFYING: "reading",
    Activity.LOADING: "loading",
    Activity.WARMING_UP: "warming up",
    Activity.MEASURING: "measuring",
    Activity.SCORING: "scoring",
}


def run_bench(options: argparse.Namespace, paths: AppPaths) -> int:
    """Measure, print the results, keep them in the history, and return the exit code."""
    # What to compare with is read first: a wrong path must not cost a run.
    earlier = _earlier(options.compare, paths)
    plan = plan_from(options, paths)
    started_unix_ms = unix_ms_now()
    result = measure(plan, paths, ProgressLine(sys.stderr))
    show(result, plan, OutputFormat(options.output), earlier)
    _keep(
        RunRecord(
            started_unix_ms=started_unix_ms,
            command=command_line(plan),
            cancelled=result.cancelled,
            rows=result.rows,
        ),
        paths,
    )
    if result.cancelled:
        return EXIT_INTERRUPTED
    return EXIT_FAILED if has_failures(result) else 0


def has_failures(result: BenchResult) -> bool:
    """Return whether anything that was asked for could not be measured."""
    return any(row.status is RowStatus.FAILED for row in result.rows) or any(one.error for one in result.quality)


def _earlier(choice: str | None, paths: AppPaths) -> tuple[EarlierRow, ...] | None:
    """Return what to compare with; None for nothing."""
    if choice is None:
        return None
    if choice != FROM_HISTORY:
        return read_earlier(Path(choice))
    with _history(paths) as history:
        return history.earlier_rows()


def _keep(run: RunRecord, paths: AppPaths) -> None:
    """Add a run that measured anything to the history. The results have been printed: a failure is only told."""
    if not any(row.samples_ns for row in run.rows):
        return
    try:
        with _history(paths) as history:
            history.add(run)
    except StoreError as error:
        _note(sys.stderr, f"These results are not in the history: {error.what} {error.next_step}")


@contextmanager
def _history(paths: AppPaths) -> Iterator[History]:
    opened = open_history(paths.data / FILE_NAME)
    if opened.damage is not None:
        kept, saved = opened.damage.kept_aside, opened.damage.salvaged_runs
        _note(sys.stderr, f"The benchmark history was damaged; {saved} runs could be read. The file is kept: {kept}")
    with closing(opened.history):
        yield opened.history


def measure(plan: BenchPlan, paths: AppPaths, line: ProgressLine) -> BenchResult:
    """Run `plan` to its end, or until Ctrl+C."""
    hashes = HashCache(paths.cache / CACHE_FILE_NAME)
    run = BenchRun(plan, make_supervisor, hashes, SystemProbe(), line.show, line.note_row)
    with asyncio.Runner() as runner:
        try:
            return runner.run(_until_interrupted(run))
        finally:
            line.end()


async def _until_interrupted(run: BenchRun) -> BenchResult:
    task = asyncio.ensure_future(run.run())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:  # Ctrl+C: end the repetition under way, keep what has been measured.
        # Ending the workers takes three seconds at most; Ctrl+C held down must not turn that into a traceback.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        run.cancel()
        return await task


def show(result: BenchResult, plan: BenchPlan, output: OutputFormat, earlier: tuple[EarlierRow, ...] | None) -> None:
    """Print the results; the comparison goes with a table, or to stderr where stdout is for scripts."""
    comparisons = compare(result.rows, earlier or ())
    text = rendered(result.rows, output, comparisons, result.quality)
    if output is OutputFormat.MARKDOWN:
        text += f"repeat with: {command_line(plan)}\n"
    write_line(text.rstrip("\n"))
    if output is not OutputFormat.MARKDOWN:
        for comparison in comparisons:
            _note(sys.stderr, _comparison_line(comparison))
    if earlier is not None and not comparisons:
        _note(sys.stderr, "The earlier results hold none of these tests on these models.")


def _comparison_line(one: Comparison) -> str:
    change = "" if one.change is None else f" {one.change.relative:+.1%}"
    return f"{one.model} {one.test} {one.metric}{change}: {one.verdict}"


class ProgressLine:
    """How far a run is: one line that changes on a terminal; elsewhere a line for each row that is done."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._changes = stream.isatty()
        self._seen: set[tuple[str, str]] = set()

    def show(self, progress: BenchProgress) -> None:
        """Show where the run is."""
        if self._changes:
            self._write(CLEAR_LINE + without_controls(progress_text(progress)))

    def note_row(self, row: BenchRow) -> None:
        """Show a row once it is done."""
        key = (row.model.name, row.test)
        is_done = len(row.samples_ns) >= row.settings.repetitions or row.error is not None
        if is_done and key not in self._seen:
            self._seen.add(key)
            self._write((CLEAR_LINE if self._changes else "") + without_controls(row_text(row)) + "\n")

    def end(self) -> None:
        """Leave a clean line."""
        if self._changes:
            self._write(CLEAR_LINE)

    def _write(self, text: str) -> None:
        with writing():
            self._stream.write(text)
            self._stream.flush()


def progress_text(progress: BenchProgress) -> str:
    """Return one line: how much is done, what is going on, how long it will take."""
    done = f"[{progress.done_steps}/{progress.total_steps}] " if progress.total_steps else ""
    left = "" if progress.remaining_s is None else f", about {duration_text(progress.remaining_s)} left"
    what = f"{ACTIVITY_WORDS[progress.activity]} {progress.model} {progress.test}".rstrip()
    return f"{done}{what}{left}"


def row_text(row: BenchRow) -> str:
    """Return one line: a row's figure, or why it has none."""
    if row.error is not None:
        return f"{row.model.name} {row.test}: {row.error.what}"
    waited = "" if row.ttft is None else f", TTFT {milliseconds_text(row.ttft.median_ms)}"
    disturbed = "".join(f" (disturbed: {one.detail})" for one in row.disturbances)
    return f"{row.model.name} {row.test}: {speed_text(row.avg_ts)}{waited}{disturbed}"


def _note(stream: TextIO, text: str) -> None:
    with writing():
        stream.write(without_controls(text) + "\n")
