"""The models on this machine: the app's own, those added in place, and what other programs keep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.state.engine_state import EngineState
from desktop.state.settings_state import SettingsState
from runtime.config.paths import AppPaths
from runtime.config.settings import read_settings
from runtime.library.elsewhere import Keeper, KeptModel
from runtime.library.in_place import add_in_place
from runtime.library.installed import InstalledModel
from runtime.library.local_library import LibraryModel, described, read_library, search_library
from runtime.library.removal import Removal, remove_model, will_be_deleted
from runtime.values.errors import UserFacingError


class FoundElsewhere(msgspec.Struct, frozen=True):
    """A model that another program keeps."""

    keeper: Keeper
    model: LibraryModel


class LibraryState(QObject):
    """Knows which models are here.

    Signals:
        changed: `models`, `elsewhere` or `problem` is new.
        added: models were added in place; carries how many.
        removed: a model was deleted or forgotten; carries its `Removal`.
    """

    changed = Signal()
    added = Signal(int)
    removed = Signal(object)

    def __init__(
        self,
        paths: AppPaths,
        settings: SettingsState,
        engine: EngineState,
        find_elsewhere: Callable[[], tuple[KeptModel, ...]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.paths = paths
        self._settings = settings
        self._engine = engine
        self._find_elsewhere = find_elsewhere
        self.models: tuple[LibraryModel, ...] = ()
        self.elsewhere: tuple[FoundElsewhere, ...] = ()
        self.is_known = False
        self.problem: UserFacingError | None = None

    async def refresh(self) -> None:
        """Look again: first at the models of the list, then at what other programs keep."""
        self.models = await asyncio.to_thread(lambda: read_library(self.paths, read_settings(self.paths.config_file)))
        self.is_known = True
        self.changed.emit()
        self.elsewhere = await asyncio.to_thread(self._look_elsewhere)
        self.changed.emit()

    def search(self, text: str) -> tuple[LibraryModel, ...]:
        """Return the models of the list that have every word of `text`."""
        return search_library(self.models, text)

    def search_elsewhere(self, text: str) -> tuple[FoundElsewhere, ...]:
        """Return the models of other programs that have every word of `text`."""
        found = {id(model) for model in search_library((one.model for one in self.elsewhere), text)}
        return tuple(one for one in self.elsewhere if id(one.model) in found)

    def at(self, path: Path) -> LibraryModel | None:
        """Return the model of the list that lies at `path`; None if there is none."""
        return next((one for one in self.models if one.model.path == path), None)

    def will_be_deleted(self, model: InstalledModel) -> bool:
        """Return whether removing `model` deletes files."""
        return will_be_deleted(model, self.paths)

    async def add(self, places: Iterable[Path]) -> None:
        """Add what is at `places`, in place; what prevents that is in `problem`."""
        count = 0
        self.problem = None
        for place in places:
            try:
                count += await self._add_one(place)
            except UserFacingError as error:
                self.problem = error
        await self.refresh()
        if count:
            self.added.emit(count)

    async def remove(self, model: InstalledModel) -> None:
        """Delete `model` if it is the app's own, and forget it otherwise; what prevents that is in `problem`."""
        self.problem = None
        if self._engine.model_name in {model.name, str(model.path)}:
            await self._engine.unload()
        try:
            removal = await asyncio.to_thread(
                lambda: remove_model(model, self.paths, read_settings(self.paths.config_file))
            )
        except UserFacingError as error:
            self.problem = error
            self.changed.emit()
            return
        await self._keep_lists(removal)
        await self.refresh()
        self.removed.emit(removal)

    def take_back_problem(self) -> None:
        """Say no more what went wrong."""
        if self.problem is not None:
            self.problem = None
            self.changed.emit()

    async def _add_one(self, place: Path) -> int:
        addition = await asyncio.to_thread(lambda: add_in_place(place, read_settings(self.paths.config_file)))
        await self._settings.change(
            lambda settings: msgspec.structs.replace(
                settings,
                models_folders=addition.settings.models_folders,
                added_models=addition.settings.added_models,
                forgotten_models=addition.settings.forgotten_models,
            )
        )
        if self._settings.error is not None:
            raise self._settings.error
        return len(addition.models)

    async def _keep_lists(self, removal: Removal) -> None:
        await self._settings.change(
            lambda settings: msgspec.structs.replace(
                settings,
                added_models=removal.settings.added_models,
                forgotten_models=removal.settings.forgotten_models,
            )
        )
        self.problem = self._settings.error

    def _look_elsewhere(self) -> tuple[FoundElsewhere, ...]:
        """Return what other programs keep and is not in the list as well."""
        listed = {_real(one.model.path) for one in self.models}
        kept = [one for one in self._find_elsewhere() if _real(one.model.path) not in listed]
        models = described((one.model for one in kept), self.paths)
        return tuple(FoundElsewhere(one.keeper, model) for one, model in zip(kept, models, strict=True))


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path
