"""The release feed as a value: which versions there are, what is new in each, and how long that may be believed.

What is signed is the bytes of the file, exactly as they are; they are written in one canonical form all the same, so
that the same feed always has the same signature.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from runtime.values.errors import UpdateError

FORM = 1
MAX_FEED_BYTES = 256 * 1024
CLOCK_TOLERANCE = timedelta(days=1)
VERSION_PATTERN = r"^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})$"

VersionText = Annotated[str, msgspec.Meta(pattern=VERSION_PATTERN)]
Page = Annotated[str, msgspec.Meta(pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[!-~]*$", max_length=500)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A version that can be had.

    Attributes:
        version: "1.2.3".
        notes: what is new, in Markdown.
        page: where it can be downloaded.
    """

    version: VersionText
    notes: Annotated[str, msgspec.Meta(max_length=10_000)]
    page: Page


class ReleaseFeed(msgspec.Struct, frozen=True, kw_only=True):
    """What the project says of its versions.

    Attributes:
        form: of this file.
        issued: when it was signed; a feed that was issued before one already seen is a replay.
        expires: until when it may be believed.
        releases: the newest first.
    """

    form: int = FORM
    issued: Moment
    expires: Moment
    releases: Annotated[tuple[Release, ...], msgspec.Meta(min_length=1, max_length=100)]


def version_number(text: str) -> tuple[int, ...]:
    """Return a version as numbers that compare as versions do; what comes after three numbers does not count."""
    return tuple(int("".join(filter(str.isdecimal, part)) or 0) for part in text.split(".")[:3])


def feed_bytes(feed: ReleaseFeed) -> bytes:
    """Return the canonical form of `feed`: sorted keys, no spaces, one line feed at the end."""
    return msgspec.json.encode(feed, order="sorted") + b"\n"


def parse_feed(content: bytes) -> ReleaseFeed:
    """Return the feed in `content`, newest release first.

    Raises:
        UpdateError: it is damaged, or of a form that this version does not know.
    """
    try:
        feed = msgspec.json.decode(content, type=ReleaseFeed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UpdateError("The release feed is damaged.", "Try again later.", detail=str(error)) from error
    if feed.form != FORM:
        raise UpdateError(
            "The release feed has a form that this version does not know.", "Look for a newer version by hand."
        )
    newest_first = sorted(feed.releases, key=lambda release: version_number(release.version), reverse=True)
    return msgspec.structs.replace(feed, releases=tuple(newest_first))


def refuse_stale(feed: ReleaseFeed, now: datetime, newest_seen: datetime | None) -> None:
    """Refuse a feed that must no longer be believed.

    Args:
        feed: signed as it should be.
        now: by this machine's clock.
        newest_seen: when the newest feed was issued that this machine has seen; None before the first.

    Raises:
        UpdateError: it has expired, comes from the future, or is older than what was seen before.
    """
    if now >= feed.expires:
        raise UpdateError(
            f"The release feed expired on {_day(feed.expires)}.",
            "Try again later; if this machine's date is wrong, set it right.",
        )
    if feed.issued > now + CLOCK_TOLERANCE:
        raise UpdateError(
            f"The release feed is from the future: it was signed on {_day(feed.issued)}.",
            "Check the date of this machine.",
        )
    if newest_seen is not None and feed.issued < newest_seen:
        raise UpdateError(
            f"The release feed is older than one that was seen before ({_day(feed.issued)}, {_day(newest_seen)}).",
            "Try again later: somebody may be holding newer versions back.",
        )


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()
