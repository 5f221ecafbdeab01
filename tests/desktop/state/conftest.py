"""The window's state over a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from tests.desktop.open_window_state import OpenState, open_state


@pytest.fixture
async def state(tmp_path: Path, qtbot: QtBot) -> AsyncIterator[OpenState]:  # noqa: ARG001 - signals need the app
    async with open_state(tmp_path / "data") as opened:
        yield opened
