"""The models that can be chosen, read from their headers off the window's thread."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal

from runtime.library.installed import InstalledModel
from runtime.library.reader import read_spec
from runtime.values.errors import UserFacingError
from runtime.values.model import Quantization


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A model that can be chosen; `problem` says why one cannot.

    Attributes:
        name: what it answers to.
        size_bytes: bytes on disk.
        is_demo: True for the model that ships with the app.
        quantization: from its headers; None where they cannot be read.
        problem: empty, or why it cannot be loaded.
    """

    name: str
    size_bytes: int
    is_demo: bool
    quantization: Quantization | None = None
    problem: str = ""


class InstalledState(QObject):
    """Knows which models are installed.

    Signals:
        changed: `choices` is new.
    """

    changed = Signal()

    def __init__(
        self,
        list_installed: Callable[[], tuple[InstalledModel, ...]],
        meant_by: Callable[[str], Path],
        parent: QObject | None = None,
    ) -> None:
        """`meant_by` says which model a name stands for, where models of several formats share it."""
        super().__init__(parent)
        self._list_installed = list_installed
        self._meant_by = meant_by
        self.choices: tuple[Choice, ...] = ()

    async def refresh(self) -> None:
        """Look again."""
        self.choices = await asyncio.to_thread(self._look)
        self.changed.emit()

    def _look(self) -> tuple[Choice, ...]:
        installed = self._list_installed()
        counts = Counter(model.name for model in installed)
        return tuple(choice_of(model) for model in installed if counts[model.name] == 1 or self._is_meant(model))

    def _is_meant(self, model: InstalledModel) -> bool:
        """Tell whether choosing the model's name would load it, and no other one of that name."""
        try:
            return self._meant_by(model.name) == model.path
        except UserFacingError:  # What cannot be told apart is listed, and loading it says why.
            return True


def choice_of(model: InstalledModel) -> Choice:
    """Return what can be said of `model` from its headers."""
    choice = Choice(name=model.name, size_bytes=model.size_bytes, is_demo=model.is_demo)
    try:
        spec = read_spec(model.path)
    except UserFacingError as error:
        return msgspec.structs.replace(choice, problem=error.what)
    return msgspec.structs.replace(choice, quantization=spec.quantization)
