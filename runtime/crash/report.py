"""A crash as a value, and its report as a person reads and copies it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

import msgspec

MOST_CHARACTERS = 60_000
"""Of the detail; what is longer loses its middle: an error says at its end what it was, and at its beginning whose."""
HEAD_SHARE = 0.3


class CrashKind(StrEnum):
    """What crashed."""

    WINDOW = "window"
    """The window's process ended without having been asked to."""
    ERROR = "error"
    """An error in the window that nothing was prepared for; the window went on."""
    MODEL = "model"
    """The worker process of a model ended."""


class Crash(msgspec.Struct, frozen=True, kw_only=True):
    """Something that went badly wrong.

    Attributes:
        kind: what crashed.
        at: when, as near as is known.
        what: one sentence.
        detail: stacks, or the last lines of stderr.
    """

    kind: CrashKind
    at: datetime
    what: str
    detail: str


def report_text(crash: Crash) -> str:
    """Return the report: where it happened, what happened, and the detail."""
    return "\n".join([*_where(), f"{crash.at:%Y-%m-%d %H:%M:%S} UTC", "", crash.what, "", shortened(crash.detail), ""])


def shortened(detail: str, most_characters: int = MOST_CHARACTERS) -> str:
    """Return `detail`, without its middle where it is longer than `most_characters`."""
    if len(detail) <= most_characters:
        return detail
    head = int(most_characters * HEAD_SHARE)
    tail = most_characters - head
    left_out = len(detail) - most_characters
    return f"{detail[:head]}\n… {left_out:,} characters left out …\n{detail[-tail:]}"


def _where() -> Iterator[str]:
    from importlib.metadata import version  # noqa: PLC0415 - every start imports this module, hardly any writes a report

    origin = "packaged" if getattr(sys, "frozen", False) else "from source"
    yield f"First Token {version('first-token')}, {origin}, Python {platform.python_version()}"
    yield f"{platform.platform()}, {platform.machine()}"
