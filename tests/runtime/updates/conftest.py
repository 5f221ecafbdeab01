"""A release feed on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.updates.feed_server import FeedServer, running_feed_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FeedServer]:
    """Yield a server that holds nothing yet."""
    with running_feed_server(tmp_path) as running:
        yield running
