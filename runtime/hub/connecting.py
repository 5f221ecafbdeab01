"""Connecting to a server, and being called away from it at any moment.

Looking up a name, waiting for a server that does not answer, asking a proxy and agreeing on encryption each take as
long as they take; none can be ended from another thread. So the connection is made on a thread of its own, and whoever
waits for it waits for the word to give up, too.
"""

from __future__ import annotations

import threading
from http.client import HTTPConnection, HTTPException

from runtime.values.errors import InternalError


class Connecting:
    """One connection that is being made. `give_up` alone may be called from other threads."""

    def __init__(self, connection: HTTPConnection) -> None:
        """Take what is to be connected; nothing is done yet."""
        self._connection = connection
        self._guard = threading.Lock()
        self._is_over = threading.Event()
        self._is_given_up = self._is_done = False
        self._error: Exception | None = InternalError("Connecting to a server ended unexpectedly.")

    def wait(self) -> None:
        """Connect.

        Raises:
            ConnectionAbortedError: `give_up` was called; what comes of the attempt is closed.
            OSError: there is no way to the server, or it is not to be trusted.
            HTTPException: the proxy's answer makes no sense.
            ValueError: the server's name is none.
        """
        threading.Thread(target=self._connect, name="connect", daemon=True).start()
        self._is_over.wait()
        with self._guard:
            if self._is_given_up:
                self._close_if_done()
                raise ConnectionAbortedError("given up")
            if self._error is not None:
                raise self._error

    def give_up(self) -> None:
        """Wait no longer. Any thread."""
        with self._guard:
            self._is_given_up = True
        self._is_over.set()

    def _connect(self) -> None:
        try:
            self._connection.connect()
        except (OSError, HTTPException, ValueError) as error:
            self._error = error
        else:
            self._error = None
        finally:
            with self._guard:
                self._is_done = True
                if self._is_given_up:
                    self._close_if_done()
            self._is_over.set()

    def _close_if_done(self) -> None:
        """Close what nobody waits for any more, unless it is still being made: then its own thread does."""
        if self._is_done:
            self._connection.close()
