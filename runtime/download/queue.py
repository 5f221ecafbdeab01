"""The queue of downloads: some at once, the others in turn; paused, resumed, removed; the same after a restart.

Each active download has a thread of its own. Everything here may be called from any thread; what may take long says so.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from runtime.download.model_download import DownloadSetup, DownloadStoppedError, ModelDownload
from runtime.download.part_file import disk_errors
from runtime.download.plan import DownloadPlan
from runtime.download.queue_file import KeptDownload, read_queue, write_queue
from runtime.download.staging import Staging, partial_downloads, read_plan
from runtime.download.status import DownloadState, DownloadStatus
from runtime.values.errors import DownloadError, ErrorReport, InternalError, UserFacingError, report_of

MOST_ACTIVE = 2
HAVE_THEIR_SPACE = frozenset({DownloadState.DOWNLOADING, DownloadState.VERIFYING, DownloadState.WAITING})
"""What downloads do that were found to have room on the disk, and have not taken all of it yet."""


class _Entry:
    """A place in the queue. `stop_as` says what becomes of an active download once it has stopped."""

    def __init__(self, plan: DownloadPlan, state: DownloadState, error: ErrorReport | None = None) -> None:
        self.plan = plan
        self.state = state
        self.error = error
        self.download: ModelDownload | None = None
        self.thread: threading.Thread | None = None
        self.stop_as = DownloadState.QUEUED


class DownloadQueue:
    """Downloads of this process, kept in a file."""

    def __init__(
        self,
        file: Path,
        setup: DownloadSetup,
        *,
        most_active: int = MOST_ACTIVE,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; `start` reads the file and goes on with what is in it.

        Args:
            file: where the queue is kept.
            setup: where models go and how they get there.
            most_active: how many downloads run at once.
            on_change: called after each change but mere progress, from whichever thread made it.
        """
        self._file = file
        self._most_active = most_active
        self._on_change = on_change
        self._setup = msgspec.structs.replace(setup, free=self._unclaimed_bytes)
        self._free = setup.free
        self._entries: dict[str, _Entry] = {}
        self._threads: set[threading.Thread] = set()
        self._guard = threading.RLock()
        self._writing = threading.Lock()  # taken before the guard, which is never held while the disk works
        self._lock = FileLock(file.with_name(f"{file.name}.lock"), thread_local=False)
        self._is_closing = False

    def start(self) -> None:
        """Read the queue and go on with it; what an interrupted run left besides comes back as paused.

        Raises:
            DownloadError: another process has it, or the disk refuses.
        """
        with disk_errors(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except Timeout as error:
                raise DownloadError(
                    "Another First Token is downloading models.", "Use that one, or close it first."
                ) from error
        found = read_queue(self._file)
        with self._guard:
            for kept in found:
                lasting = kept.state in {DownloadState.PAUSED, DownloadState.FAILED}
                state = kept.state if lasting else DownloadState.QUEUED
                self._entries[kept.plan.key] = _Entry(kept.plan, state, kept.error if lasting else None)
            for plan in filter(None, map(read_plan, partial_downloads(self._setup.models))):
                self._entries.setdefault(plan.key, _Entry(plan, DownloadState.PAUSED))
        self._go_on()

    def add(self, plan: DownloadPlan) -> str:
        """Put a download at the end of the queue, or resume it if it is there already; return its key.

        Raises:
            DownloadError: the model is already there, or the disk refuses.
        """
        with self._guard:
            entry = self._entries.get(plan.key)
            if entry is None or not entry.state.is_active:
                Staging(self._setup.models, plan).check_free()
                self._entries[plan.key] = _Entry(plan, DownloadState.QUEUED)
        self._go_on()
        return plan.key

    def pause(self, key: str) -> None:
        """Stop a download, to be resumed later; what is here stays."""
        with self._guard:
            entry = self._entries.get(key)
            if entry is None:
                return
            if entry.download is not None:
                entry.stop_as = DownloadState.PAUSED
                entry.download.stop()
            elif entry.state is DownloadState.QUEUED:
                entry.state = DownloadState.PAUSED
        self._go_on()

    def resume(self, key: str) -> None:
        """Go on with a download that is paused or has failed."""
        with self._guard:
            entry = self._entries.get(key)
            if entry is not None and entry.download is not None:
                entry.stop_as = DownloadState.QUEUED
            elif entry is not None and entry.state in {DownloadState.PAUSED, DownloadState.FAILED}:
                entry.state, entry.error = DownloadState.QUEUED, None
        self._go_on()

    def remove(self, key: str) -> int:
        """Take a download out of the queue with all that is here of it; return the bytes freed.

        A model that is done stays. Blocks until the download has stopped, which may take seconds.

        Raises:
            DownloadError: the disk refuses.
        """
        with self._guard:
            entry = self._entries.get(key)
            if entry is None:
                return 0
            entry.stop_as = DownloadState.PAUSED
            if entry.download is not None:
                entry.download.stop()
            thread = entry.thread
        if thread is not None:
            thread.join()
        with self._guard:
            self._entries.pop(key, None)
        freed = 0 if entry.state is DownloadState.DONE else Staging(self._setup.models, entry.plan).discard()
        self._go_on()
        return freed

    def clear_done(self) -> None:
        """Take what is done out of the queue; the models stay."""
        with self._guard:
            self._entries = {key: one for key, one in self._entries.items() if one.state is not DownloadState.DONE}
        self._on_change()

    def statuses(self) -> tuple[DownloadStatus, ...]:
        """Return how every download is now, in the order of the queue."""
        with self._guard:
            return tuple(map(self._status, self._entries.values()))

    def close(self) -> None:
        """Stop everything and keep the queue. Blocks until all downloads have stopped, which may take seconds."""
        with self._guard:
            self._is_closing = True
            for entry in self._entries.values():
                if entry.download is not None:
                    entry.download.stop()
            threads = list(self._threads)
        for thread in threads:
            thread.join()
        if self._lock.is_locked:
            with suppress(DownloadError):
                self._save()
            self._lock.release()

    def _status(self, entry: _Entry) -> DownloadStatus:
        if entry.download is not None:
            return entry.download.status()
        staging = Staging(self._setup.models, entry.plan)
        done = entry.state is DownloadState.DONE
        here = entry.plan.total_bytes if done else sum(map(staging.bytes_here, entry.plan.files))
        return DownloadStatus(plan=entry.plan, state=entry.state, done_bytes=here, error=entry.error)

    def _go_on(self) -> None:
        """Begin as many downloads as may run at once, write the queue down, and tell."""
        with self._guard:
            active = sum(entry.download is not None for entry in self._entries.values())
            waiting = [entry for entry in self._entries.values() if entry.state is DownloadState.QUEUED]
            for entry in waiting[: 0 if self._is_closing else max(0, self._most_active - active)]:
                self._begin(entry)
        self._save()
        self._on_change()

    def _begin(self, entry: _Entry) -> None:
        entry.download = ModelDownload(entry.plan, self._setup, self._on_change)
        entry.state = DownloadState.CHECKING
        entry.stop_as = DownloadState.QUEUED
        entry.thread = threading.Thread(target=self._work, args=(entry, entry.download), name="download")
        self._threads = {thread for thread in self._threads if thread.is_alive()} | {entry.thread}
        entry.thread.start()

    def _work(self, entry: _Entry, download: ModelDownload) -> None:
        error: ErrorReport | None = None
        state = DownloadState.DONE
        try:
            download.run()
        except DownloadStoppedError:
            state = entry.stop_as
        except UserFacingError as problem:
            state, error = DownloadState.FAILED, report_of(problem)
        except Exception as problem:  # noqa: BLE001 - a bug of ours ends this download, not the thread in silence
            detail = "".join(traceback.format_exception(problem))
            state, error = (
                DownloadState.FAILED,
                report_of(InternalError("A download ended unexpectedly.", detail=detail)),
            )
        with self._guard:
            entry.state, entry.error, entry.download, entry.thread = state, error, None, None
        with suppress(DownloadError):  # the next change writes the queue again
            self._go_on()

    def _save(self) -> None:
        with self._writing:
            with self._guard:
                kept = [_kept(entry) for entry in self._entries.values() if entry.state is not DownloadState.DONE]
            write_queue(self._file, tuple(kept))

    def _unclaimed_bytes(self, folder: Path) -> int:
        """Return what is free on the disk once all downloads that run now are done."""
        with self._guard:
            running = [entry.download.status() for entry in self._entries.values() if entry.download is not None]
        begun = [one for one in running if one.state in HAVE_THEIR_SPACE]
        return self._free(folder) - sum(one.plan.total_bytes - one.done_bytes for one in begun)


def _kept(entry: _Entry) -> KeptDownload:
    runs = entry.download is not None
    return KeptDownload(entry.plan, entry.stop_as if runs else entry.state, entry.error)
