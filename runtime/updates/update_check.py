"""One look for a newer version: ask for feed and signature, believe nothing that is not signed, compare versions."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from runtime.updates.feed_source import FeedSource
from runtime.updates.last_check import LastCheck, read_last_check, write_last_check
from runtime.updates.release_feed import (
    MAX_FEED_BYTES,
    Release,
    ReleaseFeed,
    parse_feed,
    refuse_stale,
    version_number,
)
from runtime.updates.signature import MAX_SIGNATURE_BYTES, check_signature

log = logging.getLogger("first-token")

SIGNATURE_SUFFIX = ".sig"
GetFile = Callable[[str, int], bytes]
"""From an address and the most bytes that are acceptable to the file; raises `UpdateError`."""


class NewRelease(msgspec.Struct, frozen=True):
    """There are newer versions: `releases`, the newest first."""

    installed: str
    releases: tuple[Release, ...]


class UpToDate(msgspec.Struct, frozen=True):
    """This is the newest version."""

    installed: str


class NewerHere(msgspec.Struct, frozen=True):
    """This version is newer than the `newest` in the feed: one of a developer, or a release that was taken back."""

    installed: str
    newest: str


UpdateOutcome = NewRelease | UpToDate | NewerHere


def check_for_updates(
    source: FeedSource, installed: str, get_file: GetFile, data: Path, now: datetime
) -> UpdateOutcome:
    """Return what the feed says.

    Args:
        source: where the feed lies, and whose signatures are trusted.
        installed: this version.
        get_file: asks for a file.
        data: folder in which it is remembered when this was asked, and how new the feed was.
        now: by this machine's clock.

    Raises:
        UpdateError: the feed cannot be had, or must not be believed.
    """
    last = read_last_check(data)
    try:
        signature = get_file(source.address + SIGNATURE_SUFFIX, MAX_SIGNATURE_BYTES)
        content = get_file(source.address, MAX_FEED_BYTES)
        check_signature(content, signature, source.public_keys)
        feed = parse_feed(content)
        refuse_stale(feed, now, last.newest_feed)
        last = msgspec.structs.replace(last, newest_feed=feed.issued)
    finally:
        _remember(data, msgspec.structs.replace(last, at=now))
    return outcome_of(feed, installed)


def outcome_of(feed: ReleaseFeed, installed: str) -> UpdateOutcome:
    """Return what a feed that is believed says to whoever has the version `installed`."""
    here = version_number(installed)
    newer = tuple(release for release in feed.releases if version_number(release.version) > here)
    if newer:
        return NewRelease(installed, newer)
    newest = feed.releases[0].version
    return UpToDate(installed) if version_number(newest) == here else NewerHere(installed, newest)


def _remember(data: Path, last: LastCheck) -> None:
    try:
        write_last_check(data, last)
    except OSError:
        log.warning("the last look for updates was not remembered", exc_info=True)
