"""The models that can be chosen, read from their headers off the window's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

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

    def __init__(self, list_installed: Callable[[], tuple[InstalledModel, ...]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._list_installed = list_installed
        self.choices: tuple[Choice, ...] = ()

    async def refresh(self) -> None:
        """Look again."""
        self.choices = await asyncio.to_thread(lambda: tuple(map(choice_of, self._list_installed())))
        self.changed.emit()


def choice_of(model: InstalledModel) -> Choice:
    """Return what can be said of `model` from its headers."""
    choice = Choice(name=model.name, size_bytes=model.size_bytes, is_demo=model.is_demo)
    try:
        spec = read_spec(model.path)
    except UserFacingError as error:
        return msgspec.structs.replace(choice, problem=error.what)
    return msgspec.structs.replace(choice, quantization=spec.quantization)
