"""Downloads as the window knows them: asked for, prepared, queued, under way, done, failed.

The queue lives on threads of its own and in a file; here its state is looked at a few times a second while something
is under way, and not at all otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from desktop.state.library_access import LibraryAccess
from desktop.state.library_offers import OfferedVariant
from desktop.tasks import Tasks
from runtime.download.plan import DownloadPlan, plan_download
from runtime.download.status import DownloadState, DownloadStatus
from runtime.values.errors import DownloadError, UserFacingError

if TYPE_CHECKING:
    from runtime.download.queue import DownloadQueue

LOOK_MS = 400
QUEUE_FILE_NAME = "downloads.json"
T = TypeVar("T")


class Preparing(msgspec.Struct, frozen=True):
    """The Hub is being asked what there is to download."""


class NotBegun(msgspec.Struct, frozen=True):
    """A download that could not even be queued, and why."""

    error: UserFacingError


Asked = Preparing | NotBegun


class DownloadsState(QObject):
    """Knows all downloads.

    Signals:
        changed: `statuses` or `asked` is new, be it only by some bytes.
        finished: a download is done; carries its `DownloadStatus`.
    """

    changed = Signal()
    finished = Signal(object)

    def __init__(
        self, models: Path, data: Path, access: LibraryAccess, tasks: Tasks, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._models = models
        self._file = data / QUEUE_FILE_NAME
        self._access = access
        self._tasks = tasks
        self._queue: DownloadQueue | None = None
        self._opening = Lock()
        self._one_look = asyncio.Lock()
        self._is_due = False
        self._is_closed = False
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look_soon)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.statuses: tuple[DownloadStatus, ...] = ()
        self.asked: dict[str, Asked] = {}

    def status_of(self, variant: OfferedVariant) -> DownloadStatus | None:
        """Return how the download of `variant` is; None if there is none."""
        return next((status for status in self.statuses if is_download_of(status, variant)), None)

    def status(self, key: str) -> DownloadStatus | None:
        """Return how the download called `key` is; None if there is none any more."""
        return next((status for status in self.statuses if status.plan.key == key), None)

    @property
    def unfinished(self) -> int:
        """How many there are to come."""
        return sum(status.state is not DownloadState.DONE for status in self.statuses)

    async def go_on(self) -> None:
        """Go on with what was under way when the app was closed.

        Raises:
            DownloadError: another First Token has the queue, or the disk refuses.
        """
        await self._open()

    async def add(self, variant: OfferedVariant) -> None:
        """Download `variant`; what prevents that is in `asked`."""
        self._ask(variant.key, Preparing())
        try:
            queue = await self._open()
            plan = await asyncio.to_thread(self._plan, variant)
            await asyncio.to_thread(queue.add, plan)
        except UserFacingError as error:
            self._ask(variant.key, NotBegun(error))
            return
        await self._look()
        self.asked.pop(variant.key, None)
        self.changed.emit()

    def forget(self, variant: OfferedVariant) -> None:
        """Say no more that `variant` could not be queued."""
        if self.asked.pop(variant.key, None) is not None:
            self.changed.emit()

    async def pause(self, key: str) -> None:
        """Stop a download; what is here stays."""
        await self._tell(lambda queue: queue.pause(key))

    async def resume(self, key: str) -> None:
        """Go on with a download that is paused or has failed."""
        await self._tell(lambda queue: queue.resume(key))

    async def retry(self, key: str) -> None:
        """Try a download again now that has failed, or that waits for its next attempt."""

        def stop_and_resume(queue: DownloadQueue) -> None:
            queue.pause(key)
            queue.resume(key)

        await self._tell(stop_and_resume)

    async def remove(self, key: str) -> int:
        """Give a download up, with all that is here of it; return the bytes freed. A model that is done stays."""
        return await self._tell(lambda queue: queue.remove(key))

    async def clear_done(self) -> None:
        """Take what is done out of the list; the models stay."""
        await self._tell(lambda queue: queue.clear_done())

    async def close(self) -> None:
        """Stop all downloads, and keep the queue for the next start."""
        self._is_closed = True
        self._timer.stop()
        await asyncio.to_thread(self._close_queue)

    async def _open(self) -> DownloadQueue:
        """Return the queue, begun if it was not yet.

        Raises:
            DownloadError: another First Token has it, or the disk refuses.
        """
        if self._queue is None:
            self._loop = asyncio.get_running_loop()
            await asyncio.to_thread(self._begin)
            await self._look()
        if self._queue is None:
            raise DownloadError("The app is being closed.", "Start First Token again.")
        return self._queue

    def _begin(self) -> None:
        from runtime.download.model_download import DownloadSetup  # noqa: PLC0415 - takes long; off the window's thread
        from runtime.download.queue import DownloadQueue  # noqa: PLC0415 - likewise

        with self._opening:
            if self._queue is None and not self._is_closed:
                setup = DownloadSetup(models=self._models, new_transport=self._access.transport)
                queue = DownloadQueue(self._file, setup, on_change=self._changed_elsewhere)
                queue.start()
                self._queue = queue

    def _close_queue(self) -> None:
        with self._opening:
            if self._queue is not None:
                self._queue.close()

    def _plan(self, variant: OfferedVariant) -> DownloadPlan:
        return plan_download(self._access.api().repository(variant.form.repo_id), variant.form)

    async def _tell(self, change: Callable[[DownloadQueue], T]) -> T:
        queue = await self._open()
        result = await asyncio.to_thread(change, queue)
        await self._look()
        return result

    def _ask(self, key: str, asked: Asked) -> None:
        self.asked[key] = asked
        self.changed.emit()

    def _changed_elsewhere(self) -> None:
        """Look soon; called from threads of the queue."""
        if self._loop is not None and not self._is_closed:
            self._loop.call_soon_threadsafe(self._look_soon)

    def _look_soon(self) -> None:
        if not self._is_due and not self._is_closed:
            self._is_due = True
            self._tasks.start(self._look(), "look at the downloads")

    async def _look(self) -> None:
        """Take over how everything is now."""
        async with self._one_look:
            self._is_due = False
            if self._queue is not None:
                self._take(await asyncio.to_thread(self._queue.statuses))

    def _take(self, statuses: tuple[DownloadStatus, ...]) -> None:
        before, self.statuses = self.statuses, statuses
        is_active = any(status.state.is_active for status in statuses)
        if is_active and not self._is_closed:
            self._timer.start()
        else:
            self._timer.stop()
        if statuses != before:
            self.changed.emit()
        self._tell_finished(before)

    def _tell_finished(self, before: tuple[DownloadStatus, ...]) -> None:
        done = {status.plan.key for status in before if status.state is DownloadState.DONE}
        for status in self.statuses:
            if status.state is DownloadState.DONE and status.plan.key not in done:
                self.finished.emit(status)


def is_download_of(status: DownloadStatus, variant: OfferedVariant) -> bool:
    """Return whether a download fetches `variant`."""
    plan, form = status.plan, variant.form
    if (plan.repo_id, plan.format, plan.title) != (form.repo_id, form.format, form.scheme.title):
        return False
    return not form.files or plan.files[0].path == form.files[0]
