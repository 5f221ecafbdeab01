"""Downloading one model, from what an earlier run left to the model in its place. Blocking: on a thread of its own.

Every file is fetched to its end, its hash checked, then the next. A connection that is lost or a Hub that is busy costs
a wait and a request for the rest. The model gets its place once all of it is here and its headers make sense.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from runtime.download.part_file import PartFile, WrongContentError
from runtime.download.plan import GIT_ID, SHA256, DownloadPlan, PlannedFile
from runtime.download.progress import Clock, Progress
from runtime.download.retry import RetryPolicy
from runtime.download.staging import Staging
from runtime.download.status import DownloadState, DownloadStatus
from runtime.hub.remote_file import Identity
from runtime.hub.transport import HubTransport
from runtime.library.defects import shown
from runtime.library.reader import read_spec
from runtime.metrics.disk import free_bytes
from runtime.values.errors import DownloadError, FirstTokenError, HubBusyError, UserFacingError
from runtime.values.wording import bytes_text

SPARE_BYTES = 500_000_000
"""What a download leaves free: a disk that is full to the last byte is trouble for everybody."""
LARGE_FILE_BYTES = 100_000_000
"""Hashing and writing out a larger one takes long enough to be worth a word."""

FreeBytes = Callable[[Path], int]


class DownloadStoppedError(FirstTokenError):
    """The download was asked to stop; what is here stays."""


class DownloadSetup(msgspec.Struct, frozen=True, kw_only=True):
    """What all downloads of a process share.

    Attributes:
        models: the folder that models go to.
        new_transport: makes connections for one thread.
        policy: how patient to be.
        free: gives the free bytes of the disk that a folder is on.
        clock: a steady clock, in seconds.
    """

    models: Path
    new_transport: Callable[[], HubTransport]
    policy: RetryPolicy = RetryPolicy()
    free: FreeBytes = free_bytes
    clock: Clock = time.monotonic


class ModelDownload:
    """One download. `run` once; `stop` and `status` from any thread."""

    def __init__(self, plan: DownloadPlan, setup: DownloadSetup, on_change: Callable[[], None] = lambda: None) -> None:
        """Prepare; nothing is read or fetched yet.

        Args:
            plan: what to fetch.
            setup: where to and how.
            on_change: called after each change of state, from the thread that runs.
        """
        self._plan = plan
        self._setup = setup
        self._staging = Staging(setup.models, plan)
        self._transport = setup.new_transport()
        self._progress = Progress(plan, setup.clock, on_change)
        self._stopping = threading.Event()

    def run(self) -> Path:
        """Fetch what is missing and return where the model is.

        Raises:
            DownloadStoppedError: `stop` was called.
            UserFacingError: it cannot go on; what is here stays for another attempt, wrong content excepted.
        """
        try:
            with self._staging.held():
                if not self._staging.is_installed:
                    self._fetch_all()
                    self._install()
            self._staging.discard()
        finally:
            self._transport.close()
        self._progress.correct(self._plan.total_bytes)
        self._progress.enter(DownloadState.DONE)
        return self._staging.model_path

    def stop(self) -> None:
        """Have `run` end soon. Any thread."""
        self._stopping.set()
        self._transport.interrupt()

    def status(self) -> DownloadStatus:
        """Return how it is now. Any thread."""
        return self._progress.status()

    def _fetch_all(self) -> None:
        self._staging.check_free()
        self._check_space()
        for file in self._plan.files:
            self._fetch(file)
        self._check_stop()

    def _install(self) -> None:
        self._progress.enter(DownloadState.INSTALLING)
        if not self._staging.is_moving:
            read_spec(self._staging.files_here)
        self._staging.install()

    def _check_space(self) -> None:
        here = sum(map(self._staging.bytes_here, self._plan.files))
        self._progress.correct(here)
        missing = self._plan.total_bytes - here
        free = self._setup.free(self._setup.models)
        if missing and missing + SPARE_BYTES > free:
            raise DownloadError(
                f"There is not enough space: {bytes_text(missing)} are still to come, and {bytes_text(free)} are free.",
                f"Free {bytes_text(missing + SPARE_BYTES - free)} on the disk with the models, then try again.",
            )

    def _fetch(self, file: PlannedFile) -> None:
        if self._staging.is_finished(file):
            return
        before = self._progress.done_bytes - self._staging.bytes_here(file)
        part = PartFile(self._staging.place(file), file)
        try:
            self._progress.correct(before + part.length)
            self._fill_patiently(file, part, before)
        finally:
            part.close()

    def _fill_patiently(self, file: PlannedFile, part: PartFile, before: int) -> None:
        """Fetch the rest of a file, in as many attempts as the policy grants."""
        failures = restarts = 0
        while True:
            self._check_stop()
            began_with = part.length
            try:
                self._fill(file, part, before)
                self._finish(part)
            except WrongContentError:
                self._progress.correct(before)
                restarts += 1
                if restarts > self._setup.policy.most_restarts:
                    raise
            except UserFacingError as error:
                self._check_stop()
                failures = 1 if part.length > began_with else failures + 1
                wait_s = self._setup.policy.wait_s(failures, error)
                if wait_s is None:
                    raise
                self._progress.wait(wait_s, error)
                self._stopping.wait(wait_s)
            else:
                return

    def _fill(self, file: PlannedFile, part: PartFile, before: int) -> None:
        """Fetch the rest of a file over one connection."""
        self._progress.enter(DownloadState.DOWNLOADING)
        if part.is_whole:
            return
        body = self._transport.open(self._plan.remote(file), part.length)
        try:
            _check_identity(file, body.identity)
            if body.first == 0 and part.length > 0 and body.identity.total_bytes is not None:
                part.restart()
                self._progress.correct(before)
            if body.first != part.length:
                raise HubBusyError("The server sends another part of the file than it was asked for.", "Try again.")
            while not part.is_whole:
                while part.unhashed and body.would_wait:
                    part.hash_some()
                if not (count := body.read_into(part.space())):
                    break
                part.take(count)
                self._progress.add(count)
                self._check_stop()
        finally:
            body.close()
        if not part.is_whole:
            raise HubBusyError(f"The server ended {shown(file.target)} early.", "Try again.")

    def _finish(self, part: PartFile) -> None:
        """Hash what there was no time to hash so far, and have the file checked and seen to the disk."""
        if part.length > LARGE_FILE_BYTES:
            self._progress.enter(DownloadState.VERIFYING)
        while part.unhashed:
            part.hash_some()
            self._check_stop()
        part.finish()

    def _check_stop(self) -> None:
        if self._stopping.is_set():
            raise DownloadStoppedError


def _check_identity(file: PlannedFile, identity: Identity) -> None:
    """Check that the server has the very file that was listed; a server that does not say is checked by the hash.

    What is here stays: it may be a login page between here and the Hub that answered.
    """
    tag = identity.etag
    is_other = SHA256.fullmatch(tag) and file.sha256 and tag != file.sha256
    is_other = is_other or (GIT_ID.fullmatch(tag) and not file.sha256 and tag != file.git_id)
    if is_other or identity.total_bytes not in {None, file.size_bytes}:
        raise DownloadError(
            f"The server sends something else than the {shown(file.target)} that the Hub listed.",
            "Check that no login page is in the way; else search for the model again and download it anew.",
        )
