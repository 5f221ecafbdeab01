"""Headers on the Hub: read once; what could not be read is read again when somebody asks for it, not by itself."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.state.library_access import LibraryAccess
from desktop.state.library_headers import HeadersState, Unread
from desktop.state.library_offers import OfferedVariant, hub_offers
from desktop.tasks import Tasks
from runtime.hub.access import HubAccess
from runtime.hub.api import HubApi
from runtime.hub.search import HubQuery, search
from runtime.values.model import ModelFormat
from tests.desktop.state.test_library_search import no_keychain
from tests.hub.faults import Status
from tests.hub.fixtures import _no_proxies, hub
from tests.hub.hosted import repo_from_folder
from tests.hub.state import HubServer
from tests.models.random_mlx import write_random_mlx

__all__ = ["_no_proxies", "hub"]

REPO = "publisher/model-fp32"


@pytest.fixture
def variant(hub: HubServer, tmp_path: Path) -> OfferedVariant:
    """Return the only form of a model on the Hub."""
    write_random_mlx(tmp_path / "model")
    hub.host(repo_from_folder(REPO, tmp_path / "model", ("mlx",)))
    (offer,) = hub_offers(search(HubApi(HubAccess(hub.endpoint)), HubQuery(text="model")), (ModelFormat.MLX,))
    return offer.variants[0]


async def done(tasks: Tasks) -> None:
    """Wait until nothing runs."""
    async with asyncio.timeout(20):
        while not tasks.is_idle:
            await asyncio.to_thread(time.sleep, 0.01)


async def test_a_failure_stays_until_somebody_asks_again(
    variant: OfferedVariant,
    hub: HubServer,
    qtbot: QtBot,  # noqa: ARG001 - signals need the app
) -> None:
    tasks = Tasks(asyncio.get_running_loop())
    headers = HeadersState(LibraryAccess(lambda: {"HF_ENDPOINT": hub.endpoint}, no_keychain), tasks)
    hub.plan(Status(503), f"/api/models/{REPO}", times=1000)
    headers.read(variant)
    await done(tasks)
    assert isinstance(headers.of(variant), Unread)
    hub.heal()
    asked = len(hub.requests)

    headers.read(variant)
    assert tasks.is_idle
    assert len(hub.requests) == asked

    headers.read(variant, again=True)
    await done(tasks)
    found = headers.of(variant)
    assert isinstance(found, OfferedVariant)
    assert found.spec is not None
    asked = len(hub.requests)
    headers.read(variant, again=True)
    assert tasks.is_idle
    assert len(hub.requests) == asked
