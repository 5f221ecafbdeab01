"""Fixtures around the tests' Hub, shared by the tests of `runtime.hub` and `runtime.download`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runtime.hub.access import HubAccess
from runtime.hub.api import HubApi, close_connections
from tests.hub.server import running_hub
from tests.hub.state import HubServer


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this machine's proxies from standing between the tests and their Hub."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """Yield a Hub that hosts nothing yet."""
    with running_hub() as server:
        yield server
        close_connections()


@pytest.fixture
def api(hub: HubServer) -> HubApi:
    """Return an anonymous way to ask it."""
    return HubApi(HubAccess(hub.endpoint))
