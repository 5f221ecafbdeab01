"""Asking the Hub: only the latest question is answered, and each only once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from desktop.state.library_access import LibraryAccess
from desktop.state.library_search import Asking, Found, HubSearchState, NotAsked, Unanswered
from desktop.state.library_wanted import Wanted
from runtime.hub.keychain import Keychain
from runtime.values.errors import HubUnreachableError, KeychainError
from runtime.values.model import ModelFormat
from tests.hub.faults import StallAfter
from tests.hub.fixtures import _no_proxies, hub
from tests.hub.listings import qwen3_8b
from tests.hub.state import HubServer

__all__ = ["_no_proxies", "hub"]


@pytest.fixture
def search(hub: HubServer, qtbot: QtBot) -> HubSearchState:  # noqa: ARG001 - signals need the app
    """Return a search among the models of a Hub, without a keychain."""
    hub.host(*qwen3_8b())
    access = LibraryAccess(lambda: {"HF_ENDPOINT": hub.endpoint}, no_keychain)
    return HubSearchState(access, lambda: (ModelFormat.MLX, ModelFormat.GGUF))


def no_keychain() -> Keychain:
    raise KeychainError("There is none.", "Start one.")


async def until(condition: Callable[[], bool]) -> None:
    """Let the threads that ask go on until `condition` holds."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.to_thread(time.sleep, 0.01)


def names(search: HubSearchState) -> list[str]:
    return [model.name for model in search.models]


async def test_an_answer_that_comes_too_late_is_not_shown(search: HubSearchState, hub: HubServer) -> None:
    hub.plan(StallAfter(10), "/api/models", times=2)
    slow = asyncio.ensure_future(search.ask(Wanted(text="qwen3-8b-base")))
    await until(lambda: len(hub.requests) == 2)
    assert isinstance(search.answer, Asking)
    await search.ask(Wanted(text="abliterated"))
    assert names(search) == ["Qwen3-8B-abliterated"]
    hub.heal()
    await slow
    assert names(search) == ["Qwen3-8B-abliterated"]


async def test_the_same_question_is_asked_once_unless_again(search: HubSearchState, hub: HubServer) -> None:
    await search.ask(Wanted(text="qwen3"))
    asked = len(hub.requests)
    await search.ask(Wanted(text="qwen3"))
    assert len(hub.requests) == asked
    await search.ask(Wanted(text="qwen3"), again=True)
    assert len(hub.requests) == 2 * asked
    assert isinstance(search.answer, Found)


async def test_nothing_typed_asks_nobody(search: HubSearchState, hub: HubServer) -> None:
    await search.ask(Wanted(text="  "))
    assert isinstance(search.answer, NotAsked)
    assert hub.requests == []


async def test_no_network_is_an_answer_too(qtbot: QtBot) -> None:  # noqa: ARG001 - signals need the app
    access = LibraryAccess(lambda: {"HF_ENDPOINT": "http://127.0.0.1:1"}, no_keychain)
    search = HubSearchState(access, lambda: (ModelFormat.GGUF,))
    await search.ask(Wanted(text="qwen3"))
    assert isinstance(search.answer, Unanswered)
    assert isinstance(search.answer.error, HubUnreachableError)


async def test_an_address_that_is_none_is_said(qtbot: QtBot) -> None:  # noqa: ARG001 - signals need the app
    access = LibraryAccess(lambda: {"HF_ENDPOINT": "nonsense"}, no_keychain)
    search = HubSearchState(access, lambda: (ModelFormat.GGUF,))
    await search.ask(Wanted(text="qwen3"))
    assert isinstance(search.answer, Unanswered)
    assert "HF_ENDPOINT" in search.answer.error.what
    assert access.endpoint == "https://huggingface.co"
