"""Crash reports: recorded as things go wrong, looked for after a start, shown, and deleted. None is ever sent."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Lock

from PySide6.QtCore import QObject, Signal

from runtime.config.paths import AppPaths
from runtime.crash.folder import CrashFolder, KeptReport
from runtime.crash.private_data import private_data_here
from runtime.crash.report import Crash, CrashKind
from runtime.crash.trace_file import DeadProcess, take_dead_processes
from runtime.worker.child import WorkerExit

log = logging.getLogger("first-token")

MOST_OF_ONE_RUN = 10
"""What fails again and again, at every paint say, must not push out what went wrong before."""


class CrashState(QObject):
    """Knows the reports.

    Signals:
        changed: `reports` is new.
        recorded: an error was recorded that nothing was prepared for; carries the `KeptReport`.
    """

    changed = Signal()
    recorded = Signal(object)

    def __init__(self, paths: AppPaths, loop: asyncio.AbstractEventLoop, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._paths = paths
        self._loop = loop
        self._guard = Lock()
        self._seen: set[str] = set()
        self.folder = CrashFolder(paths.logs, self._without_private_data)
        self.reports: tuple[KeptReport, ...] = ()

    async def refresh(self) -> None:
        """Look which reports there are."""
        self.reports = await asyncio.to_thread(self.folder.reports)
        self.changed.emit()

    async def delete(self, name: str) -> None:
        """Delete a report."""
        try:
            await asyncio.to_thread(self.folder.delete, name)
        except OSError:
            log.warning("a crash report was not deleted", exc_info=True)
        await self.refresh()

    async def look_back(self) -> KeptReport | None:
        """Make reports of windows that have not ended as they should; return the last of them, None if all is well."""
        crashes = await asyncio.to_thread(lambda: list(self._window_crashes()))
        kept = [report for crash in crashes if (report := await asyncio.to_thread(self._kept, crash)) is not None]
        return kept[-1] if kept else None

    def record_error(self, error: BaseException, doing: str = "") -> None:
        """Record an error that nothing was prepared for, once. Any thread; raises nothing."""
        detail = "".join(traceback.format_exception(error))
        what = f"{type(error).__name__}: {error}" + (f" ({doing})" if doing else "")
        kept = self._kept(Crash(kind=CrashKind.ERROR, at=datetime.now(UTC), what=what, detail=detail))
        if kept is not None:
            self._in_loop(lambda: self.recorded.emit(kept))

    def record_worker(self, how: WorkerExit) -> None:
        """Record that the worker process of a model has crashed. Any thread; raises nothing."""
        what = f"The process of a model ended unexpectedly (code {how.code})."
        crash = Crash(kind=CrashKind.MODEL, at=datetime.now(UTC), what=what, detail=how.stderr_tail)
        self._loop.run_in_executor(None, self._kept, crash)

    def _kept(self, crash: Crash) -> KeptReport | None:
        """Write a report; None where it was written before, or there were too many, or it cannot be written."""
        with self._guard:
            if crash.kind is CrashKind.ERROR and (crash.detail in self._seen or len(self._seen) >= MOST_OF_ONE_RUN):
                return None
            if crash.kind is CrashKind.ERROR:
                self._seen.add(crash.detail)
            try:
                return self.folder.keep(crash)
            except OSError:
                log.warning("a crash report was not written", exc_info=True)
                return None

    def _window_crashes(self) -> Iterator[Crash]:
        for process in take_dead_processes(self._paths.logs):
            if process.stacks or process.outlived_by_system:
                yield _window_crash(process)

    def _without_private_data(self, text: str) -> str:
        return private_data_here(self._paths).removed_from(text)

    def _in_loop(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # The loop is closed: there is no window any more.
            return


def _window_crash(process: DeadProcess) -> Crash:
    if process.stacks:
        what = f"First Token crashed: {process.stacks.splitlines()[0]}"
    else:
        what = "First Token was ended from outside, without a trace: by force, or by the system for want of memory."
    began = datetime.fromtimestamp(process.began_s, UTC)
    detail = f"The window was opened on {began:%Y-%m-%d at %H:%M:%S} UTC.\n\n{process.stacks}"
    return Crash(kind=CrashKind.WINDOW, at=datetime.fromtimestamp(process.ended_s, UTC), what=what, detail=detail)
