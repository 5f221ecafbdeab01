"""Closing the app while something is on its way to the Hub: nothing is asked any more, and nothing holds it up."""

from __future__ import annotations

import sys
import threading
from types import ModuleType

import pytest

from desktop.state.library_access import LibraryAccess
from runtime.hub.keychain import Keychain
from runtime.hub.remote_file import RemoteFile
from runtime.values.errors import HubUnreachableError, KeychainError

ENVIRONMENT = {"HF_ENDPOINT": "http://127.0.0.1:1"}


def no_keychain() -> Keychain:
    raise KeychainError("There is none.", "Start one.")


def test_closing_while_the_hubs_library_is_being_imported_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that searches imports it, which takes half a second; meanwhile the module is there, and empty."""
    monkeypatch.setitem(sys.modules, "runtime.hub.api", ModuleType("runtime.hub.api"))

    LibraryAccess(lambda: ENVIRONMENT, no_keychain).interrupt()


def test_nothing_is_asked_once_the_app_is_being_closed() -> None:
    access = LibraryAccess(lambda: ENVIRONMENT, no_keychain)
    transport = access.transport()
    access.api()

    access.interrupt()

    for ask in (access.api, access.transport):
        with pytest.raises(HubUnreachableError) as caught:
            ask()
        assert "closed" in caught.value.what
    with pytest.raises(HubUnreachableError) as caught:
        transport.open(RemoteFile("publisher/model", "main", "config.json"))
    assert "interrupted" in caught.value.detail


def test_a_keychain_that_asks_the_user_does_not_hold_up_closing() -> None:
    asked, answered = threading.Event(), threading.Event()

    def slow_keychain() -> Keychain:
        asked.set()
        answered.wait()
        return no_keychain()

    access = LibraryAccess(lambda: ENVIRONMENT, slow_keychain)
    searching = threading.Thread(target=access.current)
    searching.start()
    asked.wait()

    access.interrupt()

    answered.set()
    searching.join()
