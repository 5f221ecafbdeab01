"""Each test runs on Qt's event loop, as the window does, with a home of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import qasync
from PySide6.QtWidgets import QApplication

from desktop.theme.control_style import ControlStyle
from tests.desktop.window.opened_window import Home


def pytest_asyncio_loop_factories(
    config: pytest.Config,  # noqa: ARG001 - the hook's signature
    item: pytest.Item,  # noqa: ARG001
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run coroutines on Qt's event loop."""
    return {"qasync": lambda: qasync.QEventLoop(QApplication.instance())}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """End the run where a window waits for ever: Qt runs no handler of Python's, so no signal can end one test."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(method="thread"))


@pytest.fixture(scope="session", autouse=True)
def _dressed_application(qapp: QApplication) -> Iterator[None]:
    """Make the application before the first loop, as the composition root does."""
    quits = qapp.quitOnLastWindowClosed()
    qapp.setQuitOnLastWindowClosed(False)
    qapp.setStyle(ControlStyle())
    yield
    qapp.setQuitOnLastWindowClosed(quits)


@pytest.fixture
def home(app_home: Path) -> Home:
    """Return the home of this test's windows."""
    return Home(app_home)
