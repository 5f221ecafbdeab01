"""What variants on the Hub are, read from their headers before anything is downloaded; each is read once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.state.library_access import LibraryAccess
from desktop.state.library_offers import OfferedVariant, form_key
from desktop.tasks import Tasks
from runtime.hub.grouping import variants_of
from runtime.hub.listing import Repository
from runtime.library.decode_reads import decode_reads
from runtime.library.spec import ModelSpec
from runtime.values.errors import UserFacingError
from runtime.values.model import Quantization


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
        self._sizes: dict[str, int] = {}
        self._estimates: dict[str, ModelSpec] = {}

    def of(self, variant: OfferedVariant) -> Headers | None:
        """Return what is known from the headers of `variant`; None if nobody asked, which is so for the curated."""
        return self._known.get(variant.key)

    def described(self, variants: Iterable[OfferedVariant]) -> tuple[OfferedVariant, ...]:
        """Return the forms of one model with what their headers say, as far as they have been read.

        Of a form whose headers have not been read, those of another one tell what is the same for both.
        """
        known = [self._described(variant) for variant in variants]
        sibling = next((variant.spec for variant in known if variant.spec is not None), None)
        return tuple(variant if variant.spec is not None else self._estimated(variant, sibling) for variant in known)

    def _described(self, variant: OfferedVariant) -> OfferedVariant:
        known = self._known.get(variant.key)
        if isinstance(known, OfferedVariant):
            return known
        size = self._sizes.get(variant.key)
        return variant if size is None else msgspec.structs.replace(variant, download_bytes=size)

    def _estimated(self, variant: OfferedVariant, sibling: ModelSpec | None) -> OfferedVariant:
        size = variant.download_bytes
        if sibling is None or size is None:
            return variant
        if variant.key not in self._estimates:
            bits = size * 8 / sibling.parameters
            self._estimates[variant.key] = msgspec.structs.replace(
                sibling,
                format=variant.form.format,
                weights_bytes=size,
                quantization=Quantization(variant.form.scheme.title, bits),
            )
        estimate = self._estimates[variant.key]
        bits = variant.bits_per_weight or estimate.quantization.bits_per_weight
        return msgspec.structs.replace(variant, estimate=estimate, bits_per_weight=bits)

    def read(self, variant: OfferedVariant, *, again: bool = False) -> None:
        """Read the headers of `variant`, unless that was done, is being done, or is not needed.

        What could not be read is tried again only if `again` says so: a person asked for it.
        """
        known = self._known.get(variant.key)
        if variant.spec is None and (known is None or (again and isinstance(known, Unread))):
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
        self._sizes |= _sizes_in(repository)
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


def _sizes_in(repository: Repository) -> dict[str, int]:
    """Return what there is to download of each GGUF form in a repository, by the forms' keys."""
    sizes = {file.path: file.size_bytes for file in repository.files}
    forms = variants_of(repository.repo)
    return {form_key(form): sum(sizes.get(path, 0) for path in form.files) for form in forms if form.files}
