"""How far a download is, on stderr: a line that renews itself on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import shutil
from typing import TextIO

from runtime.cli.streams import writing
from runtime.cli.terminal import without_controls
from runtime.download.plan import DownloadPlan
from runtime.download.status import DownloadState, DownloadStatus
from runtime.values.wording import bytes_text, download_speed_text, duration_text, percent_text

STEP = 0.1
"""Where nobody watches there is a line for each tenth."""
CLEAR_LINE = "\r\x1b[K"


class PullProgress:
    """Writes on `notes`."""

    def __init__(self, notes: TextIO, plan: DownloadPlan) -> None:
        self._notes = notes
        self._plan = plan
        self._renews = notes.isatty()
        self._shown_steps = -1
        self._last_state = DownloadState.QUEUED
        files = "1 file" if len(plan.files) == 1 else f"{len(plan.files):,} files"
        self.note(f"{plan.repo_id}, {plan.title}: {files}, {bytes_text(plan.total_bytes)}")

    def show(self, status: DownloadStatus) -> None:
        """Say how it is now, if that is news."""
        if self._renews:
            width = shutil.get_terminal_size().columns - 1
            self._write(CLEAR_LINE + without_controls(status_line(status))[:width])
            return
        steps = int(_share(status) / STEP)
        if steps > self._shown_steps or status.state is not self._last_state:
            self._shown_steps, self._last_state = steps, status.state
            self.note(status_line(status))

    def end(self) -> None:
        """Leave the line that renews itself."""
        if self._renews:
            self._write(CLEAR_LINE)

    def note(self, text: str) -> None:
        """Write a line."""
        self._write(without_controls(text) + "\n")

    def _write(self, text: str) -> None:
        with writing():
            self._notes.write(text)
            self._notes.flush()


def status_line(status: DownloadStatus) -> str:
    """Return how a download is now, as text."""
    done = f"{percent_text(_share(status))} of {bytes_text(status.plan.total_bytes)}"
    match status.state:
        case DownloadState.WAITING:
            reason = status.error.what if status.error is not None else ""
            return f"{done}  {reason} Trying again in {status.retry_in_s or 0:.0f} s."
        case DownloadState.DOWNLOADING if status.is_stalled:
            return f"{done}  stalled: nothing comes"
        case DownloadState.DOWNLOADING:
            return f"{done}  {_speed_text(status)}"
        case _:
            return f"{done}  {status.state}"


def _speed_text(status: DownloadStatus) -> str:
    if status.bytes_per_second is None:
        return "downloading"
    left = f", {duration_text(status.seconds_left)} left" if status.seconds_left is not None else ""
    return f"{download_speed_text(status.bytes_per_second)}{left}"


def _share(status: DownloadStatus) -> float:
    return status.done_bytes / status.plan.total_bytes if status.plan.total_bytes else 1.0
