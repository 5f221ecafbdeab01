"""What is remembered of the last look at the release feed: when it was, and how new the newest feed seen was."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from runtime.config.atomic_file import replace_file

FILE_NAME = "last-update-check.json"
MAX_FILE_BYTES = 10_000
EVERY = timedelta(days=1)


class LastCheck(msgspec.Struct, frozen=True, kw_only=True):
    """None where there was none.

    Attributes:
        at: when the feed was asked for last, by this machine's clock.
        newest_feed: when the newest feed that was seen had been signed.
    """

    at: datetime | None = None
    newest_feed: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Return whether it is time to look again of one's own accord: a day later, or where the clock went back."""
        return self.at is None or not timedelta() <= now - self.at < EVERY


def read_last_check(data: Path) -> LastCheck:
    """Return what is remembered; a file that cannot be understood counts as none."""
    try:
        with (data / FILE_NAME).open("rb") as stream:
            last = msgspec.json.decode(stream.read(MAX_FILE_BYTES), type=LastCheck)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return LastCheck()
    moments = [moment for moment in (last.at, last.newest_feed) if moment is not None]
    return last if all(moment.tzinfo is not None for moment in moments) else LastCheck()


def write_last_check(data: Path, last: LastCheck) -> None:
    """Remember.

    Raises:
        OSError: the file cannot be written.
    """
    data.mkdir(parents=True, exist_ok=True)
    replace_file(data / FILE_NAME, msgspec.json.encode(last))
