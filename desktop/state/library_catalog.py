"""The curated list of models, as far as its models run here."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from desktop.state.library_offers import OfferedModel, catalog_offers
from runtime.library.catalog import Catalog, read_catalog
from runtime.values.errors import UserFacingError
from runtime.values.model import ModelFormat


class CatalogState(QObject):
    """Knows the list.

    Signals:
        changed: `models` or `problem` is new.
    """

    changed = Signal()

    def __init__(self, file: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = file
        self._catalog: Catalog | None = None
        self.models: tuple[OfferedModel, ...] = ()
        self.problem: UserFacingError | None = None

    async def load(self, formats: Sequence[ModelFormat]) -> None:
        """Read the list, unless that was done; what prevents it is in `problem`."""
        try:
            if self._catalog is None:
                self._catalog = await asyncio.to_thread(read_catalog, self._file)
        except UserFacingError as error:
            self.problem = error
        else:
            self.problem = None
            self.models = catalog_offers(self._catalog, formats)
        self.changed.emit()
