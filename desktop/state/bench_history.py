"""Earlier benchmark runs, read and written on a thread of their own; what is wrong with their file is told."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from desktop.state.storage import Storage
from runtime.bench.comparison import EarlierRow, earlier_of
from runtime.bench.history import HistoryDamage, OpenedHistory, RunRecord, RunSummary
from runtime.bench.record import BenchRow
from runtime.values.errors import StoreError

MOST_RUNS = 200
MOST_COMPARED = 50


class BenchHistoryState(QObject):
    """Knows the earlier runs.

    Signals:
        changed: `runs`, `problem` or `damage` is new.
    """

    changed = Signal()

    def __init__(self, storage: Storage[OpenedHistory], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._storage = storage
        self.runs: tuple[RunSummary, ...] = ()
        self.problem: StoreError | None = None
        self.damage: HistoryDamage | None = None

    async def refresh(self) -> None:
        """Look again at what there is."""
        try:
            self.runs = await self._storage.run(lambda opened: opened.history.runs(MOST_RUNS))
            self.damage = await self._storage.run(lambda opened: opened.damage)
            self.problem = None
        except StoreError as error:
            self.problem = error
        self.changed.emit()

    async def add(self, run: RunRecord) -> int | None:
        """Keep a run and return its id; None where it cannot be kept, which `problem` says."""
        try:
            number = await self._storage.run(lambda opened: opened.history.add(run))
        except StoreError as error:
            self.problem = error
            self.changed.emit()
            return None
        await self.refresh()
        return number

    async def rows(self, run_id: int) -> tuple[BenchRow, ...]:
        """Return the rows of a run; none where they cannot be read, which `problem` says."""
        try:
            return await self._storage.run(lambda opened: opened.history.rows(run_id))
        except StoreError as error:
            self.problem = error
            self.changed.emit()
            return ()

    async def before(self, run_id: int | None) -> tuple[EarlierRow, ...]:
        """Return the rows of the runs before `run_id`, the oldest first; None stands for a run that is not kept."""
        numbers = [run.id for run in self.runs if run_id is None or run.id < run_id][:MOST_COMPARED]
        found: list[EarlierRow] = []
        for number in reversed(numbers):
            found += earlier_of(await self.rows(number))
        return tuple(found)

    async def close(self) -> None:
        """Close the file."""
        await self._storage.close(lambda opened: opened.history.close())
