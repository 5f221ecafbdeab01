"""An open store in a folder of its own, with a clock that the test sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.store.opening import FILE_NAME, Store, open_store


class Clock:
    """A time of day that moves on by a millisecond at each look, and further when told."""

    def __init__(self) -> None:
        self.unix_ms = 1_700_000_000_000

    def __call__(self) -> int:
        """Return the time in milliseconds since 1970."""
        self.unix_ms += 1
        return self.unix_ms


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the store."""
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the database goes; neither it nor its folder is there yet."""
    return tmp_path / "data" / FILE_NAME


@pytest.fixture
def store(file: Path, clock: Clock) -> Iterator[Store]:
    """Return an open, empty store."""
    opened = open_store(file, now_unix_ms=clock)
    yield opened.store
    opened.store.close()
