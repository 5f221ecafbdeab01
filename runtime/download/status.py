"""What can be said of a download at a moment, for whoever shows it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from runtime.download.plan import DownloadPlan
from runtime.values.errors import ErrorReport


class DownloadState(StrEnum):
    """What a download does.

    QUEUED waits for its turn; CHECKING looks at what is here; DOWNLOADING; VERIFYING hashes a large file that has come,
    and sees it to the disk; WAITING will try again after a failure; INSTALLING checks the whole and moves it into
    place; PAUSED by the user; FAILED until the user retries; DONE.
    """

    QUEUED = "queued"
    CHECKING = "checking"
    DOWNLOADING = "downloading"
    VERIFYING = "verifying"
    WAITING = "waiting"
    INSTALLING = "installing"
    PAUSED = "paused"
    FAILED = "failed"
    DONE = "done"

    @property
    def is_active(self) -> bool:
        """Whether something is being done."""
        return self in {self.CHECKING, self.DOWNLOADING, self.VERIFYING, self.WAITING, self.INSTALLING}


class DownloadStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A download at a moment.

    Attributes:
        plan: what is fetched.
        state: what it does.
        done_bytes: bytes that are here.
        bytes_per_second: speed over the last seconds; None while it cannot be said.
        seconds_left: at that speed; None while it cannot be said.
        is_stalled: whether it should be getting bytes, and got none for three seconds.
        retry_in_s: seconds until it tries again, while it waits.
        error: why it waits, or has failed.
    """

    plan: DownloadPlan
    state: DownloadState
    done_bytes: int = 0
    bytes_per_second: float | None = None
    seconds_left: float | None = None
    is_stalled: bool = False
    retry_in_s: float | None = None
    error: ErrorReport | None = None
