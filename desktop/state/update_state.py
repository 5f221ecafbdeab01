"""Whether there is a newer version: asked by hand, or once a day where the user has agreed to that, and never else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import TypeVar

import msgspec
from PySide6.QtCore import QObject, Signal

from runtime.config.paths import AppPaths
from runtime.updates.feed_source import FeedSource, read_feed_source
from runtime.updates.last_check import read_last_check
from runtime.updates.update_check import GetFile, NewRelease, UpdateOutcome, check_for_updates
from runtime.values.errors import UpdateError

log = logging.getLogger("first-token")
T = TypeVar("T")


class NotAsked(msgspec.Struct, frozen=True):
    """Nobody has asked yet."""


class NoFeed(msgspec.Struct, frozen=True):
    """This build has no release feed, so there is nobody to ask."""


class Asking(msgspec.Struct, frozen=True):
    """The feed is being asked for."""


class Answered(msgspec.Struct, frozen=True):
    """The feed has answered."""

    outcome: UpdateOutcome


class NotAnswered(msgspec.Struct, frozen=True):
    """The feed could not be had, or must not be believed."""

    error: UpdateError


UpdateStatus = NotAsked | NoFeed | Asking | Answered | NotAnswered


class UpdateState(QObject):
    """Knows what the release feed said last.

    Signals:
        changed: `status` is new.
        found: a newer version was found by a look that nobody waits for; carries the `NewRelease`.
    """

    changed = Signal()
    found = Signal(object)

    def __init__(
        self,
        paths: AppPaths,
        installed: str,
        *,
        source: Callable[[Path], FeedSource | None] = read_feed_source,
        get_file: GetFile | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Take the folders and the version that is installed; `get_file` None asks over the network.

        `source` gives the release feed, from the folder of what ships with the app.
        """
        super().__init__(parent)
        self._paths = paths
        self.source = source
        self.get_file = get_file
        self.installed = installed
        self.status: UpdateStatus = NotAsked()

    @property
    def has_feed(self) -> bool:
        """Whether this build has a feed that can be asked. Reads a file of a few bytes."""
        try:
            return self.source(self._paths.assets) is not None
        except UpdateError:
            return True  # what is wrong is said by `check`

    async def check(self) -> None:
        """Look now; what came of it is in `status`."""
        if isinstance(self.status, Asking):
            return
        before = self.status
        self._set(Asking())
        try:
            outcome = await _in_background(self._look)
        except UpdateError as error:
            log.warning("no word of updates: %s %s", error, error.detail)
            self._set(NotAnswered(error))
        except BaseException:
            self._set(before)
            raise
        else:
            self._set(NoFeed() if outcome is None else Answered(outcome))

    async def check_if_due(self) -> None:
        """Look, unless that was done within the last day; tell of a newer version, and of nothing else."""
        last = await asyncio.to_thread(read_last_check, self._paths.data)
        if not last.is_due(datetime.now(UTC)):
            return
        await self.check()
        match self.status:
            case Answered(outcome=NewRelease() as news):
                self.found.emit(news)

    def _look(self) -> UpdateOutcome | None:
        source = self.source(self._paths.assets)
        if source is None:
            return None
        return check_for_updates(
            source, self.installed, self.get_file or _network(self.installed), self._paths.data, datetime.now(UTC)
        )

    def _set(self, status: UpdateStatus) -> None:
        self.status = status
        self.changed.emit()


def _network(installed: str) -> GetFile:
    from runtime.updates.feed_request import FeedRequest  # noqa: PLC0415 - half a second that only a look should cost

    return FeedRequest(installed).get


async def _in_background(work: Callable[[], T]) -> T:
    """Return what `work` returns, on a thread that does not hold up the end of the app while a network is silent."""
    result: Future[T] = Future()
    result.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result.set_result(work())
        except Exception as error:  # noqa: BLE001 - handed over to whoever waits
            result.set_exception(error)

    Thread(target=run, name="release feed", daemon=True).start()
    return await asyncio.wrap_future(result)
