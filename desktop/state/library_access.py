"""How the window reaches the Hub: the address of the environment, and the token in the system's keychain.

Nothing is asked for before it is needed: a system may want the user's leave before it opens its keychain.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakSet

from runtime.hub.access import DEFAULT_ENDPOINT, HubAccess, Token, hub_access
from runtime.values.errors import HubUnreachableError, KeychainError, UserFacingError

if TYPE_CHECKING:
    from runtime.hub.api import HubApi
    from runtime.hub.keychain import Keychain
    from runtime.hub.transport import HubTransport

log = logging.getLogger("first-token")


def _system_keychain() -> Keychain:
    from runtime.hub.keychain import system_keychain  # noqa: PLC0415 - only who asks the Hub needs it

    return system_keychain()


class LibraryAccess:
    """Everything here but the properties blocks, and may be called from any thread but the window's."""

    def __init__(
        self, environment: Callable[[], Mapping[str, str]], open_keychain: Callable[[], Keychain] = _system_keychain
    ) -> None:
        self._environment = environment
        self._open_keychain = open_keychain
        self._guard = Lock()
        self._token_guard = Lock()  # held as long as a keychain asks the user
        self._token: Token | None = None
        self._has_looked = False
        self._transports: WeakSet[HubTransport] = WeakSet()
        self._close_connections: Callable[[], None] | None = None
        self._is_closing = False

    @property
    def endpoint(self) -> str:
        """The Hub's address; its usual one where the environment names none that can be used. Does not block."""
        try:
            return hub_access(self._environment()).endpoint
        except UserFacingError:
            return DEFAULT_ENDPOINT

    @property
    def keeps_token(self) -> bool:
        """Whether a token was found in the keychain, or typed. Does not look, and does not block."""
        return self._token is not None

    def current(self) -> HubAccess:
        """Return how to reach the Hub now; a keychain that cannot be used leaves it anonymous.

        Raises:
            SettingsError: `HF_ENDPOINT` is no web address.
            InvalidRequestError: `HF_TOKEN` is no token.
        """
        return hub_access(self._environment(), self._kept())

    def api(self, *, is_anonymous: bool = False) -> HubApi:
        """Return a way to ask questions, without the token if it is to be anonymous.

        Raises:
            UserFacingError: as `current`, or the app is being closed.
        """
        from runtime.hub.api import (  # noqa: PLC0415 - half a second that only a search should cost
            HubApi,
            close_connections,
        )

        access = self.current()
        with self._guard:
            self._check_open()
            self._close_connections = close_connections
        return HubApi(HubAccess(access.endpoint) if is_anonymous else access)

    def transport(self) -> HubTransport:
        """Return connections for one thread.

        Raises:
            UserFacingError: as `current`, or the app is being closed.
        """
        from runtime.hub.transport import HubTransport  # noqa: PLC0415 - only downloads need it

        transport = HubTransport(self.current())
        with self._guard:
            self._check_open()
            self._transports.add(transport)
        return transport

    def interrupt(self) -> None:
        """Make everything that waits for the Hub fail soon: the app is being closed. Does not block."""
        with self._guard:
            self._is_closing = True
            transports, close_connections = list(self._transports), self._close_connections
        for transport in transports:
            transport.interrupt()
        if close_connections is not None:
            close_connections()

    def keep(self, text: str) -> None:
        """Keep the token that was typed in the keychain, and use it from now on.

        Raises:
            InvalidRequestError: no token looks like that.
            KeychainError: the keychain cannot be used; the token then holds until the app is closed.
        """
        token = Token(text)
        with self._token_guard:
            self._token, self._has_looked = token, True
        self._open_keychain().keep(token)

    def forget(self) -> None:
        """Keep no token any more, and use none that was kept.

        Raises:
            KeychainError: the keychain cannot be used; the token then no longer holds here all the same.
        """
        with self._token_guard:
            self._token, self._has_looked = None, True
        self._open_keychain().forget()

    def _check_open(self) -> None:
        if self._is_closing:
            raise HubUnreachableError("The app is being closed.", "Start First Token again.")

    def _kept(self) -> Token | None:
        with self._token_guard:
            if not self._has_looked:
                self._has_looked = True
                try:
                    self._token = self._open_keychain().token()
                except KeychainError as error:
                    log.info("no token from the keychain: %s %s", error.what, error.detail)
            return self._token
