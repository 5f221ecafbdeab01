"""Each test runs on Qt's event loop, with a home and a Hub of its own, which the window takes for the real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from tests.desktop.library.opened_picker import MODEL, host_tiny_model
from tests.desktop.window.conftest import _dressed_application, home, pytest_asyncio_loop_factories
from tests.hub.fixtures import _no_proxies, hub
from tests.hub.hosted import HostedRepo
from tests.hub.state import HubServer
from tests.runtime.hub.test_keychain import MemoryStore

__all__ = ["MODEL", "_dressed_application", "_no_proxies", "home", "hub", "pytest_asyncio_loop_factories"]


class SystemStore(MemoryStore):
    """A keychain that passes for the system's own."""


SystemStore.__module__ = "keyring.backends.SecretService.test"


@pytest.fixture(autouse=True)
def hub_address(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have the window take the tests' Hub for the real one."""
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return hub.endpoint


@pytest.fixture(autouse=True)
def no_models_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that other programs keep no models in, in place of the user's own."""
    elsewhere = tmp_path / "user"
    elsewhere.mkdir()
    monkeypatch.setenv("HOME", str(elsewhere))
    monkeypatch.setenv("USERPROFILE", str(elsewhere))
    monkeypatch.setenv("OLLAMA_MODELS", str(elsewhere / "ollama"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return elsewhere


@pytest.fixture
def system_store() -> Iterator[KeyringBackend]:
    """Return a keychain in place of this system's."""
    before = keyring.get_keyring()
    store = SystemStore()
    keyring.set_keyring(store)
    yield store
    keyring.set_keyring(before)


@pytest.fixture
def tiny(hub: HubServer, tmp_path: Path) -> dict[str, HostedRepo]:
    """Host a tiny model in four forms; return its repositories by their ids."""
    return host_tiny_model(hub, tmp_path / "source")
