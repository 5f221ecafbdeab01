"""Whether a model fits on this machine and how fast it will be, for the context that is chosen in the picker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.state.engine_state import EngineState
from desktop.state.library_offers import OfferedModel, OfferedVariant
from desktop.state.metrics_state import MetricsState
from runtime.config.paths import AppPaths, process_environment
from runtime.config.settings import Settings
from runtime.library.local import FORMAT_OF, engine_platform
from runtime.library.predictions import EngineHistory, Prediction, Workload, predict, read_history
from runtime.library.recommendation import COMFORTABLE_TOKENS_PER_SECOND
from runtime.library.spec import ModelSpec
from runtime.library.verdict import USUAL_CONTEXT_TOKENS, Judgement, MemoryBudget, Verdict, judge, memory_budget
from runtime.metrics.device import DeviceInfo, read_device
from runtime.values.memory_reads import DecodeReads
from runtime.values.model import EngineName, ModelFormat

MOST_RECOMMENDED = 3
REAL_ENGINES = frozenset({EngineName.MLX, EngineName.LLAMACPP})


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What models are judged against.

    Attributes:
        device: the machine.
        budget: memory that a model can have.
        histories: for each format that runs here, what is known of its engine's speed; the best format comes first.
    """

    device: DeviceInfo
    budget: MemoryBudget
    histories: dict[ModelFormat, EngineHistory]


class Outlook(msgspec.Struct, frozen=True):
    """How a model will be here."""

    judgement: Judgement
    prediction: Prediction

    @property
    def is_comfortable(self) -> bool:
        """Whether it fits with room to spare and is fast enough to read along."""
        speed = self.prediction.tokens_per_second
        return self.judgement.verdict is Verdict.FITS and speed is not None and speed >= COMFORTABLE_TOKENS_PER_SECOND


class FitState(QObject):
    """Judges models.

    Signals:
        changed: the machine or the chosen context is another: every outlook is new.
    """

    changed = Signal()

    def __init__(
        self, paths: AppPaths, engine: EngineState, metrics: MetricsState, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._paths = paths
        self._engine = engine
        self._metrics = metrics
        self.machine: Machine | None = None
        self.context_tokens = USUAL_CONTEXT_TOKENS
        self._outlooks: dict[int, tuple[ModelSpec, Outlook]] = {}

    @property
    def formats(self) -> tuple[ModelFormat, ...]:
        """The formats that run here, the one that suits this machine best first; none before `refresh`."""
        return tuple(self.machine.histories) if self.machine is not None else ()

    async def refresh(self, settings: Settings) -> None:
        """Look at the machine as it is now."""
        memory = self._metrics.figures.memory
        loaded_bytes = memory.worker_resident_bytes if memory is not None and self._engine.model is not None else 0
        self.machine = await asyncio.to_thread(look_at_machine, self._paths, settings, loaded_bytes)
        self._outlooks.clear()
        self.changed.emit()

    def choose_context(self, tokens: int) -> None:
        """Judge with a context of `tokens` from now on."""
        if tokens != self.context_tokens:
            self.context_tokens = tokens
            self._outlooks.clear()
            self.changed.emit()

    def outlook(self, variant: OfferedVariant) -> Outlook | None:
        """Return how `variant` will be here; None where that cannot be said yet."""
        return self.outlook_of(
            variant.spec or variant.estimate, variant.reads, active_parameters=variant.active_parameters
        )

    def outlook_of(
        self, spec: ModelSpec | None, reads: DecodeReads | None, *, active_parameters: int | None = None
    ) -> Outlook | None:
        """Return how a model with these headers will be here; its context is cut to what it was made for."""
        if spec is None or self.machine is None:
            return None
        if id(spec) not in self._outlooks:
            self._outlooks[id(spec)] = spec, self._worked_out(spec, reads, active_parameters, self.machine)
        return self._outlooks[id(spec)][1]

    def best_variant(self, model: OfferedModel) -> OfferedVariant:
        """Return the form to suggest: the best that fits comfortably, or else fits at all, or else the smallest."""
        judged = [(variant, self.outlook(variant)) for variant in model.variants]
        for verdict in (Verdict.FITS, Verdict.TIGHT):
            fitting = [one for one, outlook in judged if outlook is not None and outlook.judgement.verdict is verdict]
            usual = [one for one in fitting if one.form.scheme.bits <= 4] or fitting
            if usual:
                return max(usual, key=self._rank)
        return model.variants[0]

    def suggested(self, model: OfferedModel) -> OfferedVariant:
        """Return the form to show of `model`: the one that is recommended here, or else the one that suits best."""
        return self.recommended([model]).get(model.key) or self.best_variant(model)

    def recommended(self, models: Iterable[OfferedModel]) -> dict[str, OfferedVariant]:
        """Return which forms to recommend here, by the keys of their models, the best first; none if none is known to.

        Of each model the best form that runs comfortably, and of those the best few.
        """
        best: list[tuple[OfferedModel, OfferedVariant]] = []
        for model in models:
            fine = [one for one in model.variants if (outlook := self.outlook(one)) and outlook.is_comfortable]
            if fine:
                best.append((model, max(fine, key=self._rank)))
        best.sort(key=lambda pair: pair[1].preference, reverse=True)
        return {model.key: variant for model, variant in best[:MOST_RECOMMENDED]}

    def _rank(self, variant: OfferedVariant) -> tuple[int, int, float]:
        """Return the key that orders variants that fit equally well: by size, by format, by bits."""
        parameters, bits = variant.preference
        return parameters, -self.formats.index(variant.form.format), bits

    def _worked_out(
        self, spec: ModelSpec, reads: DecodeReads | None, active_parameters: int | None, machine: Machine
    ) -> Outlook:
        context = min(self.context_tokens, spec.context_tokens or self.context_tokens)
        judgement = judge(spec, machine.budget, context)
        history = machine.histories.get(spec.format)
        if history is None or reads is None:
            return Outlook(judgement, Prediction())
        active = active_parameters or reads.weights_bytes * 8 / spec.quantization.bits_per_weight
        return Outlook(judgement, predict(history, Workload(reads=reads, active_parameters=active)))


def look_at_machine(paths: AppPaths, settings: Settings, loaded_bytes: int) -> Machine:
    """Return the machine as it is now; `loaded_bytes` are what the model takes that is loaded."""
    device = read_device()
    platform = engine_platform(device, settings, process_environment())
    wanted = frozenset({settings.engine}) & REAL_ENGINES or REAL_ENGINES
    engines = sorted(
        platform.installed & wanted, key=lambda engine: (engine is EngineName.MLX) is not platform.prefers_mlx
    )
    histories = {FORMAT_OF[engine]: read_history(paths, device, engine) for engine in engines}
    working_set = next((one.working_set_bytes for one in histories.values() if one.working_set_bytes), None)
    device = msgspec.structs.replace(device, recommended_working_set_bytes=working_set)
    return Machine(device=device, budget=memory_budget(device, loaded_bytes), histories=histories)
