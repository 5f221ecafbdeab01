"""What the Hub has for what is typed: asked off the window's thread, and only the latest question counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.state.library_access import LibraryAccess
from desktop.state.library_offers import OfferedModel, hub_offers
from desktop.state.library_wanted import Wanted
from runtime.values.errors import HubAccessError, UserFacingError
from runtime.values.model import ModelFormat


class NotAsked(msgspec.Struct, frozen=True):
    """Nothing is typed."""


class Asking(msgspec.Struct, frozen=True):
    """The Hub has not answered yet; `models` are those of the question before."""

    models: tuple[OfferedModel, ...] = ()


class Found(msgspec.Struct, frozen=True):
    """The Hub's answer."""

    models: tuple[OfferedModel, ...]


class Unanswered(msgspec.Struct, frozen=True):
    """The Hub did not answer; `error` says why, being offline among others."""

    error: UserFacingError


Answer = NotAsked | Asking | Found | Unanswered


class HubSearchState(QObject):
    """Knows what the Hub said.

    Signals:
        changed: `answer` is new.
    """

    changed = Signal()

    def __init__(
        self,
        access: LibraryAccess,
        formats: Callable[[], Sequence[ModelFormat]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._access = access
        self._formats = formats
        self._asked: Wanted | None = None
        self.answer: Answer = NotAsked()

    @property
    def models(self) -> tuple[OfferedModel, ...]:
        """What was found, be it for the question before."""
        return self.answer.models if isinstance(self.answer, Asking | Found) else ()

    async def ask(self, wanted: Wanted, *, again: bool = False) -> None:
        """Ask what the Hub has; a question that is overtaken by another one is not answered.

        The same question is asked once only, unless `again`.
        """
        if wanted == self._asked and not again:
            return
        self._asked = wanted
        if not wanted.asks_hub:
            self._set(NotAsked())
            return
        self._set(Asking(self.models))
        try:
            answer: Answer = Found(await asyncio.to_thread(self._search, wanted))
        except UserFacingError as error:
            answer = Unanswered(error)
        if wanted == self._asked:
            self._set(answer)

    def _search(self, wanted: Wanted) -> tuple[OfferedModel, ...]:
        from runtime.hub.search import HubQuery, search  # noqa: PLC0415 - half a second, off the window's thread

        formats = tuple(self._formats())
        query = HubQuery(
            text=wanted.text,
            formats=formats,
            sort=wanted.order.value,
            license=wanted.license,
            scheme=wanted.scheme,
            least_parameters=wanted.size.least,
            most_parameters=wanted.size.most,
        )
        try:
            found = search(self._access.api(), query)
        except HubAccessError:
            # A token that is no longer valid must not keep anybody from what everybody may see.
            found = search(self._access.api(is_anonymous=True), query)
        return hub_offers(found, formats)

    def _set(self, answer: Answer) -> None:
        self.answer = answer
        self.changed.emit()
