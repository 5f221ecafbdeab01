"""Each test runs on Qt's event loop, as the window does, with a home of its own."""

from __future__ import annotations

from tests.desktop.window.conftest import _dressed_application, home, pytest_asyncio_loop_factories

__all__ = ["_dressed_application", "home", "pytest_asyncio_loop_factories"]
