"""The benchmark under way, or the last one: what has been measured, how far it is, and what went wrong.

It runs on a thread with an event loop of its own: tokens that arrive there wait for no painting here, and cost the
window nothing. Only progress and finished repetitions come over; they are told a few seconds apart, because painting
them takes time that the measurement should have.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import Enum
from time import monotonic

import msgspec
import psutil
from PySide6.QtCore import QObject, QTimer, Signal

from desktop.state.bench_history import BenchHistoryState
from runtime.bench.conditions import SystemProbe
from runtime.bench.history import RunRecord, unix_ms_now
from runtime.bench.model_identity import HashCache
from runtime.bench.plan import BenchPlan
from runtime.bench.progress import BenchProgress
from runtime.bench.record import BenchRow
from runtime.bench.reproduction import command_line
from runtime.bench.runner import BenchResult, BenchRun
from runtime.bench.variant_quality import ModelQuality
from runtime.bench.workload import name_of
from runtime.client.supervisor import Supervisor
from runtime.values.errors import UserFacingError

log = logging.getLogger("first-token")

RowKey = tuple[str, str, str]
ROWS_MS = 8000
"""Rows that change are told so far apart; the first one at once."""
PROGRESS_S = 4.0
"""Likewise progress."""


class BenchPhase(Enum):
    """Where a benchmark is."""

    NOTHING = "nothing"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


class BenchOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What has been measured so far.

    Attributes:
        rows: tests in the order of the plan, models side by side; while it runs, those with a repetition.
        quality: how well each model predicts the text.
        command: the command line that repeats it.
        run_id: its number in the history; None where it is not there.
        cancelled: whether it was ended early.
    """

    rows: tuple[BenchRow, ...] = ()
    quality: tuple[ModelQuality, ...] = ()
    command: str = ""
    run_id: int | None = None
    cancelled: bool = False


class BenchState(QObject):
    """Runs one benchmark at a time.

    Signals:
        changed: `phase`, `outcome` or `problem` is new.
        progressed: `progress` is new; it may be newer than what was told last.
        ended: a benchmark is over, and kept; carries the `BenchOutcome`.
    """

    changed = Signal()
    progressed = Signal()
    ended = Signal(object)

    def __init__(
        self,
        make_client: Callable[[], Supervisor],
        hashes: Callable[[], HashCache],
        history: BenchHistoryState,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._make_client = make_client
        self._hashes = hashes
        self._history = history
        self.phase = BenchPhase.NOTHING
        self.outcome = BenchOutcome()
        self.progress: BenchProgress | None = None
        self.progress_at_s = 0.0
        self.problem: UserFacingError | None = None
        self._told_progress_s = 0.0
        self._rows_due = QTimer(self)
        self._rows_due.setSingleShot(True)
        self._rows_due.setInterval(ROWS_MS)
        self._rows_due.timeout.connect(self.changed)
        self._clients: list[Supervisor] = []
        self._order: dict[RowKey, int] = {}
        self._rows: dict[RowKey, BenchRow] = {}
        self._run: BenchRun | None = None
        self._there: asyncio.AbstractEventLoop | None = None
        self._is_over = asyncio.Event()
        self._is_over.set()

    @property
    def is_running(self) -> bool:
        """Whether a benchmark is under way."""
        return self.phase in {BenchPhase.RUNNING, BenchPhase.STOPPING}

    async def run(self, plan: BenchPlan) -> None:
        """Measure, and keep what is measured in the history. What prevents it is in `problem`."""
        if self.is_running:
            return
        self._begin(plan)
        started_unix_ms = unix_ms_now()
        try:
            result = await self._measured(plan)
        except UserFacingError as error:
            self.problem = error
            self._end(self.outcome)
        except BaseException:
            self._end(self.outcome)
            raise
        else:
            await self._keep(result, plan, started_unix_ms)

    def cancel(self) -> None:
        """End it early; what has been measured stays."""
        if self.phase is BenchPhase.RUNNING:
            self.phase = BenchPhase.STOPPING
            run, there = self._run, self._there
            if run is not None and there is not None:
                _call(there, lambda _: run.cancel(), None)
            self.changed.emit()

    async def close(self) -> None:
        """End what is under way, and wait until it is kept."""
        self.cancel()
        await self._is_over.wait()

    def _begin(self, plan: BenchPlan) -> None:
        self._is_over.clear()
        self._rows, self._clients = {}, []
        places = ((test, model) for test in map(name_of, plan.workloads) for model in plan.models)
        keys = ((test, model.engine.value, model.options.model_name or model.path) for test, model in places)
        self._order = {key: number for number, key in enumerate(keys)}
        self.phase, self.problem, self.progress = BenchPhase.RUNNING, None, None
        self.outcome = BenchOutcome(command=command_line(plan))
        self.changed.emit()

    async def _measured(self, plan: BenchPlan) -> BenchResult:
        """Run on another thread; see the module's docstring."""
        here = asyncio.get_running_loop()

        def over(note: Callable[[object], None]) -> Callable[[object], None]:
            return lambda value: _call(here, note, value)

        def measure() -> BenchResult:
            run = BenchRun(
                plan,
                self._client,
                self._hashes(),
                SystemProbe(self._own_processes),
                over(self._note_progress),
                over(self._note_row),
            )
            return asyncio.run(self._attended(run))

        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="benchmark")
        try:
            return await here.run_in_executor(thread, measure)
        finally:
            thread.shutdown(wait=False)

    async def _attended(self, run: BenchRun) -> BenchResult:
        self._run, self._there = run, asyncio.get_running_loop()
        try:
            if self.phase is BenchPhase.STOPPING:
                run.cancel()
            return await run.run()
        finally:
            self._run, self._there = None, None

    async def _keep(self, result: BenchResult, plan: BenchPlan, started_unix_ms: int) -> None:
        command = command_line(plan)
        outcome = BenchOutcome(rows=result.rows, quality=result.quality, command=command, cancelled=result.cancelled)
        # Shown before it is kept: a disk that is slow or full must not hide what was measured.
        self.outcome = outcome
        self.changed.emit()
        if any(row.samples_ns for row in result.rows):
            record = RunRecord(
                started_unix_ms=started_unix_ms, command=command, cancelled=result.cancelled, rows=result.rows
            )
            outcome = msgspec.structs.replace(outcome, run_id=await self._history.add(record))
        self._end(outcome)

    def _end(self, outcome: BenchOutcome) -> None:
        self._rows_due.stop()
        self.outcome, self.progress = outcome, None
        self.phase = BenchPhase.ENDED
        self._clients = []
        self._is_over.set()
        self.changed.emit()
        self.ended.emit(outcome)

    def _client(self) -> Supervisor:
        client = self._make_client()
        self._clients.append(client)
        return client

    def _own_processes(self) -> list[psutil.Process]:
        """Return the window's process and the benchmark's workers: a reply in the chat meanwhile is a disturbance."""
        found = [psutil.Process()]
        for client in list(self._clients):
            with suppress(psutil.Error):
                if client.worker_pid is not None:
                    worker = psutil.Process(client.worker_pid)
                    found += [worker, *worker.children(recursive=True)]
        return found

    def _note_progress(self, progress: object) -> None:
        if self.is_running and isinstance(progress, BenchProgress):
            self.progress, self.progress_at_s = progress, monotonic()
            if self.progress_at_s - self._told_progress_s >= PROGRESS_S:
                self._told_progress_s = self.progress_at_s
                self.progressed.emit()

    def _note_row(self, row: object) -> None:
        if not self.is_running or not isinstance(row, BenchRow):
            return
        key = (row.test, row.engine.value, row.model.name)
        self._rows[key] = row
        rows = sorted(self._rows.items(), key=lambda item: self._order.get(item[0], len(self._order)))
        is_first = not self.outcome.rows
        self.outcome = msgspec.structs.replace(self.outcome, rows=tuple(row for _, row in rows))
        if is_first:
            self.changed.emit()
        elif not self._rows_due.isActive():
            self._rows_due.start()


def _call(loop: asyncio.AbstractEventLoop, note: Callable[[object], None], value: object) -> None:
    with suppress(RuntimeError):  # The loop is closed: what is told to it matters no more.
        loop.call_soon_threadsafe(note, value)
