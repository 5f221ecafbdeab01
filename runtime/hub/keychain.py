"""The access token in the system's keychain (Keychain, Credential Manager, Secret Service), and nowhere else.

A store that would write it into a plain file is refused: better no token than one that lies open.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keyring
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError

from runtime.hub.access import Token
from runtime.values.errors import InvalidRequestError, KeychainError

SERVICE = "First Token"
ACCOUNT = "Hugging Face access token"
SYSTEM_STORES = (
    "keyring.backends.macOS",
    "keyring.backends.Windows",
    "keyring.backends.SecretService",
    "keyring.backends.libsecret",
    "keyring.backends.kwallet",
)
CHAIN = "keyring.backends.chainer"


class Keychain:
    """The place for one access token, in `store`."""

    def __init__(self, store: KeyringBackend) -> None:
        self._store = store

    def token(self) -> Token | None:
        """Return the token; None if none is kept.

        Raises:
            KeychainError: the keychain is locked, or does not answer.
        """
        with _translated():
            text = self._store.get_password(SERVICE, ACCOUNT)
        if not text:
            return None
        try:
            return Token(text)
        except InvalidRequestError as error:
            raise KeychainError("What the keychain holds is no access token.", "Enter the token again.") from error

    def keep(self, token: Token) -> None:
        """Keep `token` instead of what was kept.

        Raises:
            KeychainError: the keychain is locked, or does not answer.
        """
        with _translated():
            self._store.set_password(SERVICE, ACCOUNT, token.reveal())

    def forget(self) -> None:
        """Keep no token any more.

        Raises:
            KeychainError: the keychain is locked, or does not answer.
        """
        with _translated():
            if self._store.get_password(SERVICE, ACCOUNT) is not None:
                self._store.delete_password(SERVICE, ACCOUNT)


def system_keychain() -> Keychain:
    """Return this system's keychain.

    Raises:
        KeychainError: there is none, or only a store that is no keychain.
    """
    with _translated():
        store = keyring.get_keyring()
    if not _is_keychain(store):
        raise KeychainError(
            "This system offers no keychain to keep an access token in.",
            "Start one (GNOME Keyring or KWallet on Linux), or set HF_TOKEN for one run.",
            detail=f"{type(store).__module__}.{type(store).__qualname__}",
        )
    return Keychain(store)


def _is_keychain(store: KeyringBackend) -> bool:
    name = type(store).__module__
    if name == CHAIN:
        parts: list[KeyringBackend] = list(getattr(store, "backends", []))
        return bool(parts) and all(map(_is_keychain, parts))
    return name.startswith(SYSTEM_STORES)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (KeyringError, RuntimeError, OSError) as error:
        raise KeychainError(
            "The system's keychain cannot be used.", "Unlock it, then try again.", detail=repr(error)
        ) from error
