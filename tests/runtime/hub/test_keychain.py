"""The token in the keychain: kept, read, forgotten, and never in a plain file."""

from __future__ import annotations

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

from runtime.hub.access import Token
from runtime.hub.keychain import Keychain, system_keychain
from runtime.values.errors import KeychainError


class MemoryStore(KeyringBackend):
    """A keychain that lasts as long as the test."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """Return what is kept."""
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep it."""
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Forget it; an error if there is none, as with the system's own."""
        if (service, username) not in self.entries:
            raise PasswordDeleteError
        del self.entries[service, username]


class LockedStore(MemoryStore):
    """A keychain that the user has not unlocked."""

    def get_password(self, service: str, username: str) -> str | None:
        """Refuse."""
        raise KeyringLocked(service, username)


def test_a_token_is_kept_replaced_and_forgotten() -> None:
    store = MemoryStore()
    keychain = Keychain(store)

    assert keychain.token() is None
    keychain.keep(Token("hf_first_token"))
    keychain.keep(Token("hf_second_token"))
    kept = Keychain(store).token()
    assert kept is not None
    assert kept.reveal() == "hf_second_token"
    keychain.forget()
    keychain.forget()
    assert keychain.token() is None


def test_a_locked_keychain_says_so() -> None:
    with pytest.raises(KeychainError) as caught:
        Keychain(LockedStore()).token()

    assert "Unlock" in caught.value.next_step


def test_rubbish_in_the_keychain_is_no_token() -> None:
    store = MemoryStore()
    keychain = Keychain(store)
    keychain.keep(Token("hf_first_token"))
    store.entries = dict.fromkeys(store.entries, "two words")

    with pytest.raises(KeychainError):
        keychain.token()


def test_a_store_that_is_no_keychain_is_refused() -> None:
    """A plain-text store that happens to be installed must not get the token."""
    before = keyring.get_keyring()
    keyring.set_keyring(MemoryStore())
    try:
        with pytest.raises(KeychainError) as caught:
            system_keychain()
    finally:
        keyring.set_keyring(before)

    assert "keychain" in caught.value.what
