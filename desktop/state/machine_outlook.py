"""What this machine can run, in short, for the welcome of the first start: computed as the picker computes it."""

from __future__ import annotations

import asyncio
import logging

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.state.library_fit import Machine, look_at_machine
from desktop.state.metrics_state import MetricsState
from desktop.state.settings_state import SettingsState
from desktop.tasks import Tasks
from runtime.config.paths import AppPaths
from runtime.config.settings import Settings
from runtime.library.catalog import CATALOG_FILE_NAME, download_bytes, preference, read_catalog
from runtime.library.recommendation import JudgedVariant, judged_variants, recommended
from runtime.library.verdict import Verdict
from runtime.metrics.device import DeviceInfo
from runtime.values.errors import UserFacingError
from runtime.values.memory_reads import MemoryBandwidth

log = logging.getLogger("first-token")


class SuggestedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model of the curated list.

    Attributes:
        name: as people know it.
        quantization: how its weights are stored.
        download_bytes: about how much there is to download.
        tokens_per_second: of writing, as foretold; None where that is not known yet.
    """

    name: str
    quantization: str
    download_bytes: int
    tokens_per_second: float | None


class MachineOutlook(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine can run.

    Attributes:
        device: the machine.
        available_bytes: memory that it can give a model.
        suggested: the best model that runs comfortably or, before the speed of memory is known, fits; None if none.
    """

    device: DeviceInfo
    available_bytes: int
    suggested: SuggestedModel | None


class OutlookState(QObject):
    """Looks once, and once more when the speed of memory is known.

    Signals:
        changed: `outlook` is new.
    """

    changed = Signal()

    def __init__(
        self,
        paths: AppPaths,
        settings: SettingsState,
        metrics: MetricsState,
        tasks: Tasks,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._paths = paths
        self._settings = settings
        self._metrics = metrics
        self._tasks = tasks
        self._bandwidth: MemoryBandwidth | None = None
        self.outlook: MachineOutlook | None = None
        metrics.changed.connect(self._note_bandwidth)

    def look(self) -> None:
        """Look at the machine as it is now."""
        self._tasks.start(self._look(), "look at the machine")

    def _note_bandwidth(self) -> None:
        bandwidth = self._metrics.figures.bandwidth
        if bandwidth is not None and self._bandwidth is None:
            self._bandwidth = bandwidth
            self.look()

    async def _look(self) -> None:
        settings = self._settings.settings
        try:
            self.outlook = await asyncio.to_thread(look_at_outlook, self._paths, settings, self._bandwidth)
        except UserFacingError:
            log.warning("the welcome says less: the machine could not be looked at", exc_info=True)
            return
        self.changed.emit()


def look_at_outlook(paths: AppPaths, settings: Settings, bandwidth: MemoryBandwidth | None) -> MachineOutlook:
    """Return what this machine can run, with the bandwidth that was just measured, if it was.

    Raises:
        CatalogError: the curated list is missing or damaged.
    """
    machine = look_at_machine(paths, settings, 0)
    histories = {
        form: history if bandwidth is None else msgspec.structs.replace(history, bandwidth=bandwidth)
        for form, history in machine.histories.items()
    }
    judged = judged_variants(read_catalog(paths.assets / CATALOG_FILE_NAME), machine.budget, histories)
    best = recommended(judged)
    if best is None and all(history.bandwidth is None for history in histories.values()):
        best = _largest_that_fits(judged)
    return _outlook(machine, best)


def _largest_that_fits(judged: tuple[JudgedVariant, ...]) -> JudgedVariant | None:
    fitting = [one for one in judged if one.judgement.verdict is Verdict.FITS]
    return max(fitting, key=lambda one: preference(one.model, one.variant), default=None)


def _outlook(machine: Machine, best: JudgedVariant | None) -> MachineOutlook:
    return MachineOutlook(
        device=machine.device,
        available_bytes=machine.budget.available_bytes,
        suggested=None
        if best is None
        else SuggestedModel(
            name=best.model.name,
            quantization=best.variant.quantization.value,
            download_bytes=download_bytes(best.model, best.variant),
            tokens_per_second=best.prediction.tokens_per_second,
        ),
    )
