"""What variants on the Hub are, read from their headers before anything is downloaded; each is read once."""

from __future__ import annotations

import asyncio

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.state.library_access import LibraryAccess
from desktop.state.library_offers import OfferedVariant
from desktop.tasks import Tasks
from runtime.library.decode_reads import decode_reads
from runtime.values.errors import UserFacingError


class Reading(msgspec.Struct, frozen=True):
    """The headers are on their way."""


class Unread(msgspec.Struct, frozen=True):
    """The headers could not be read; `error` says why."""

    error: UserFacingError


Headers = Reading | Unread | OfferedVariant


class HeadersState(QObject):
    """Knows what was read.

    Signals:
        changed: something was read, or is being read.
    """

    changed = Signal()

    def __init__(self, access: LibraryAccess, tasks: Tasks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._access = access
        self._tasks = tasks
        self._known: dict[str, Headers] = {}

    def of(self, variant: OfferedVariant) -> Headers | None:
        """Return what is known from the headers of `variant`; None if nobody asked, which is so for the curated."""
        return self._known.get(variant.key)

    def described(self, variant: OfferedVariant) -> OfferedVariant:
        """Return `variant` with what its headers say, as far as they have been read."""
        known = self._known.get(variant.key)
        return known if isinstance(known, OfferedVariant) else variant

    def read(self, variant: OfferedVariant) -> None:
        """Read the headers of `variant`, unless that was done, is being done, or is not needed."""
        known = self._known.get(variant.key)
        if variant.spec is None and (known is None or isinstance(known, Unread)):
            self._set(variant.key, Reading())
            self._tasks.start(self._read(variant), "read the headers of a model on the Hub")

    async def _read(self, variant: OfferedVariant) -> None:
        try:
            self._set(variant.key, await asyncio.to_thread(self._fetch, variant))
        except UserFacingError as error:
            self._set(variant.key, Unread(error))

    def _fetch(self, variant: OfferedVariant) -> OfferedVariant:
        from runtime.hub.remote_model import read_remote_spec  # noqa: PLC0415 - off the window's thread
        from runtime.hub.selection import needed_files  # noqa: PLC0415 - likewise

        repository = self._access.api().repository(variant.form.repo_id)
        spec = read_remote_spec(self._access.transport, repository, variant.form)
        needed = needed_files(repository, variant.form)
        return msgspec.structs.replace(
            variant,
            form=msgspec.structs.replace(variant.form, gated=repository.repo.gated),
            download_bytes=sum(one.remote.size_bytes for one in needed),
            bits_per_weight=spec.quantization.bits_per_weight,
            spec=msgspec.structs.replace(spec, tensors=()),
            reads=decode_reads(spec),
        )

    def _set(self, key: str, headers: Headers) -> None:
        self._known[key] = headers
        self.changed.emit()
