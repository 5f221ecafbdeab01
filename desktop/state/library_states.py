"""Everything the picker knows, made when it is first opened, or when there are downloads to go on with.

This module imports all of it; who only wants to start the app imports `library_start`.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from desktop.state.download_state import DownloadsState
from desktop.state.engine_state import EngineState
from desktop.state.library_access import LibraryAccess
from desktop.state.library_catalog import CatalogState
from desktop.state.library_fit import FitState
from desktop.state.library_headers import HeadersState
from desktop.state.library_search import HubSearchState
from desktop.state.library_state import LibraryState
from desktop.state.metrics_state import MetricsState
from desktop.state.settings_state import SettingsState
from desktop.tasks import Tasks
from runtime.config.paths import AppPaths, process_environment
from runtime.library.catalog import CATALOG_FILE_NAME
from runtime.library.elsewhere import KeptModel, find_elsewhere


class LibraryStates(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the picker knows."""

    access: LibraryAccess
    catalog: CatalogState
    search: HubSearchState
    headers: HeadersState
    fit: FitState
    library: LibraryState
    downloads: DownloadsState

    async def close(self) -> None:
        """Stop what is under way; downloads go on at the next start."""
        self.access.interrupt()
        await self.downloads.close()


def make_library_states(
    paths: AppPaths, engine: EngineState, metrics: MetricsState, settings: SettingsState, tasks: Tasks
) -> LibraryStates:
    """Return everything the picker knows, empty yet."""
    access = LibraryAccess(process_environment)
    fit = FitState(paths, engine, metrics)
    return LibraryStates(
        access=access,
        catalog=CatalogState(paths.assets / CATALOG_FILE_NAME),
        search=HubSearchState(access, lambda: fit.formats),
        headers=HeadersState(access, tasks),
        fit=fit,
        library=LibraryState(paths, settings, engine, _kept_elsewhere),
        downloads=DownloadsState(paths.models, paths.data, access, tasks),
    )


def _kept_elsewhere() -> tuple[KeptModel, ...]:
    return find_elsewhere(process_environment(), Path.home())
