"""The local library: the models on this machine, with what their headers say and when each was last used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from runtime.config.paths import AppPaths
from runtime.config.settings import Settings
from runtime.library.header_cache import HeaderCache, ModelHeaders
from runtime.library.installed import InstalledModel, list_models
from runtime.library.last_used import read_last_used


class LibraryModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model on this machine.

    Attributes:
        model: name, place, size on disk and why it is in the list.
        headers: what it is, or what is wrong with it.
        last_used: when it was last loaded; None if never.
    """

    model: InstalledModel
    headers: ModelHeaders
    last_used: datetime | None


def read_library(paths: AppPaths, settings: Settings) -> tuple[LibraryModel, ...]:
    """Return all models, in the order of `list_models`. Headers that are new or changed are read."""
    return tuple(described(list_models(paths, settings), paths))


def described(models: Iterable[InstalledModel], paths: AppPaths) -> Iterator[LibraryModel]:
    """Yield `models` with what is known of each, as it becomes known."""
    cache, used = HeaderCache(paths), read_last_used(paths)
    for model in models:
        yield LibraryModel(model=model, headers=cache.headers_of(model), last_used=used.get(model.path))
    cache.save()


def search_library(models: Iterable[LibraryModel], text: str) -> tuple[LibraryModel, ...]:
    """Return the models that have every word of `text` in name, architecture, quantization or format.

    Case does not matter. Those that have all words in their name come first.
    """
    words = text.casefold().split()
    found = [one for one in models if _has_all(words, _words_of(one))]
    return tuple(sorted(found, key=lambda one: not _has_all(words, one.model.name.casefold())))


def _has_all(words: Iterable[str], text: str) -> bool:
    return all(word in text for word in words)


def _words_of(one: LibraryModel) -> str:
    spec = one.headers.spec
    about = f" {spec.architecture} {spec.quantization.name}" if spec is not None else ""
    return f"{one.model.name} {one.model.format}{about}".casefold()
