"""What goes on in the benchmark panel: which run is shown, what it is compared with, and what is done about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from enum import Enum
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, Signal
from PySide6.QtGui import QImage, QImageWriter

from desktop.bench.result_columns import Result
from desktop.state.bench_state import BenchOutcome
from desktop.state.bench_states import BenchStates
from desktop.state.engine_state import EngineState, Loading, NoModel, Serving, short_name
from desktop.tasks import Tasks
from runtime.bench.comparison import EarlierRow, compare, earlier_of
from runtime.bench.history import RunSummary
from runtime.bench.plan import BenchPlan
from runtime.bench.record import BenchRow
from runtime.bench.report import OutputFormat, rendered, write_report
from runtime.config.atomic_file import replace_file
from runtime.values.errors import OutputError, UserFacingError

EARLIER = "earlier"
"""Compare with the latest earlier results of the same tests, whichever run they are of."""
NOTHING = ""


class ExportFormat(Enum):
    """What results are exported as."""

    CSV = "csv"
    JSON = "json"
    MARKDOWN = "md"
    PNG = "png"


class Measuring(QObject):
    """Knows what is shown.

    Signals:
        changed: what is shown is new.
        noted: something happened that is worth a line; carries it.
        failed: something did not work; carries what and what to do.
        unload_to_confirm: the chat's model is in the way; carries its name.
    """

    changed = Signal()
    noted = Signal(str)
    failed = Signal(str)
    unload_to_confirm = Signal(str)

    def __init__(
        self,
        states: BenchStates,
        engine: EngineState,
        chat_is_busy: Callable[[], bool],
        tasks: Tasks,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.states = states
        self._engine = engine
        self._chat_is_busy = chat_is_busy
        self._tasks = tasks
        self._read: BenchOutcome | None = None
        self.compared_with = EARLIER
        self._earlier: tuple[EarlierRow, ...] = ()
        states.bench.changed.connect(self._show_live)
        states.bench.ended.connect(lambda _: self._start(self._compare(), "compare benchmarks"))
        states.history.changed.connect(self._show_history)

    # what is there

    @property
    def outcome(self) -> BenchOutcome:
        """What is shown: an earlier run that was chosen, or the one under way or over."""
        return self._read if self._read is not None else self.states.bench.outcome

    @property
    def is_live(self) -> bool:
        """Whether what is shown is still being measured."""
        return self._read is None and self.states.bench.is_running

    @property
    def results(self) -> tuple[Result, ...]:
        """The rows that are shown, with how they have changed."""
        return tuple(
            Result(row, compare([row], self._earlier) if self._earlier else (), self.is_live)
            for row in self.outcome.rows
        )

    @property
    def comparable(self) -> tuple[RunSummary, ...]:
        """The earlier runs that what is shown can be compared with."""
        shown = self.outcome.run_id
        return tuple(run for run in self.states.history.runs if shown is None or run.id < shown)

    # what a person does

    def open(self) -> None:
        """Look at models and history as they are now."""
        self._start(self._refresh(), "look at models and benchmark history")

    def request_run(self) -> None:
        """Measure what is chosen, after asking where a model would be unloaded for it."""
        if self.states.bench.is_running:
            return
        status = self._engine.status
        if not isinstance(status, Serving | Loading):
            self.run(unloads=False)
        elif self._chat_is_busy():
            self.failed.emit(self.tr("A reply is being written. Wait for its end, or stop it."))
        else:
            self.unload_to_confirm.emit(short_name(self._engine.model_name or ""))

    def run(self, *, unloads: bool) -> None:
        """Measure what is chosen; `unloads` gives the chat's model back first, and loads it again afterwards."""
        try:
            plan = self.states.setup.plan()
        except UserFacingError as error:
            self._tell(error)
            return
        self._read, self._earlier = None, ()
        self._start(self._run(plan, self._engine.model_name if unloads else None), "run a benchmark")

    def cancel(self) -> None:
        """End the benchmark early."""
        self.states.bench.cancel()

    def choose_run(self, run_id: int | None) -> None:
        """Show an earlier run, or the one of this session (None)."""
        self._start(self._show_run(run_id), "show an earlier benchmark")

    def compare_with(self, choice: str) -> None:
        """Compare with the earlier results, with the run of that number, or with nothing."""
        self.compared_with = choice
        self._start(self._compare(), "compare benchmarks")

    def markdown(self) -> str:
        """Return what is shown as Markdown, with its changes and the command that repeats it."""
        outcome = self.outcome
        comparisons = compare(outcome.rows, self._earlier) if self._earlier else ()
        text = rendered(outcome.rows, OutputFormat.MARKDOWN, comparisons, outcome.quality)
        return f"{text}\n`{outcome.command}`\n" if outcome.command else text

    def export(self, file: Path, file_format: ExportFormat, picture: QImage) -> None:
        """Write what is shown; `picture` is the plot."""
        self._start(self._export(file, file_format, picture), "export a benchmark")

    # how it is done

    async def _refresh(self) -> None:
        await self.states.history.refresh()
        await self.states.setup.refresh()
        if not self.outcome.rows and not self.states.bench.is_running and self.states.history.runs:
            await self._show_run(self.states.history.runs[0].id)

    async def _run(self, plan: BenchPlan, chat_model: str | None) -> None:
        if chat_model is not None:
            await self._engine.unload()
        self._start(self._compare(), "compare benchmarks")
        try:
            await self.states.bench.run(plan)
        finally:
            if chat_model is not None and isinstance(self._engine.status, NoModel):
                self._start(self._engine.load(chat_model), "load the chat's model again")
        await self.states.setup.learn()

    async def _show_run(self, run_id: int | None) -> None:
        live = self.states.bench.outcome
        if run_id is None or run_id == live.run_id:
            self._read = None
        else:
            run = next((one for one in self.states.history.runs if one.id == run_id), None)
            rows = await self.states.history.rows(run_id)
            self._read = BenchOutcome(
                rows=rows,
                command=run.command if run is not None else "",
                run_id=run_id,
                cancelled=run.cancelled if run is not None else False,
            )
        await self._compare()

    async def _compare(self) -> None:
        shown, choice = self.outcome.run_id, self.compared_with
        if choice == EARLIER:
            earlier = await self.states.history.before(shown)
        elif choice == NOTHING:
            earlier = ()
        else:
            earlier = earlier_of(await self.states.history.rows(int(choice)))
        if (self.outcome.run_id, self.compared_with) == (shown, choice):
            self._earlier = earlier
            self.changed.emit()

    async def _export(self, file: Path, file_format: ExportFormat, picture: QImage) -> None:
        try:
            await asyncio.to_thread(self._write, file, file_format, picture, self.outcome.rows, self.markdown())
        except OutputError as error:
            self._tell(error)
        else:
            self.noted.emit(self.tr("Exported to {file}.").format(file=file))

    def _write(
        self, file: Path, file_format: ExportFormat, picture: QImage, rows: tuple[BenchRow, ...], text: str
    ) -> None:
        match file_format:
            case ExportFormat.PNG:
                _write_picture(file, picture)
            case ExportFormat.MARKDOWN:
                write_report(file, text)
            case ExportFormat.CSV | ExportFormat.JSON:
                write_report(file, rendered(rows, OutputFormat(file_format.value)))

    def _show_live(self) -> None:
        if self._read is None:
            self.changed.emit()

    def _show_history(self) -> None:
        history = self.states.history
        if history.problem is not None:
            self._tell(history.problem)
        elif history.damage is not None:
            text = self.tr("The benchmark history was damaged; {count} runs could be read. The file is kept as {file}.")
            self.noted.emit(text.format(count=history.damage.salvaged_runs, file=history.damage.kept_aside))
        self.changed.emit()

    def _tell(self, error: UserFacingError) -> None:
        self.failed.emit(f"{error.what} {error.next_step}")

    def _start(self, work: Coroutine[object, object, None], name: str) -> None:
        self._tasks.start(work, name)


def _write_picture(file: Path, picture: QImage) -> None:
    """Write a picture as PNG, all of it or nothing.

    Raises:
        OutputError: it cannot be written.
    """
    content = QByteArray()
    buffer = QBuffer(content)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(picture)
    try:
        replace_file(file, bytes(content.data()))
    except OSError as error:
        raise OutputError(
            f"The plot cannot be written to {file}: {error.strerror or error}.",
            "Choose another folder, or make room. Nothing is lost: the results are still here.",
        ) from error
