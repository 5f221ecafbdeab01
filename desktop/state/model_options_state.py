"""How the model in use is loaded: the context and the width of KV cache to choose from, what they take, what is chosen.

What a width does to speed and quality is what a benchmark on this machine has found; nothing is said where none has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.state.bench_history import BenchHistoryState
from desktop.state.engine_state import EngineState
from desktop.state.metrics_state import MetricsState
from desktop.state.settings_state import SettingsState
from runtime.bench.kv_variants import OPTION, KvEffect, kv_effects
from runtime.config.settings import ModelSettings, Settings
from runtime.library.context_choice import automatic_context, context_stops, kv_cache_widths
from runtime.library.fit import kv_token_bytes
from runtime.library.reader import read_spec
from runtime.library.spec import ModelSpec
from runtime.library.verdict import Judgement, MemoryBudget, judge, memory_budget
from runtime.metrics.device import read_device
from runtime.values.errors import MemoryShortError, UserFacingError


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to choose from.

    Attributes:
        name: what the user calls the model.
        path: where it lies.
        spec: what its headers say.
        budget: what this machine can give it; what it takes now counts as free.
        effects: what benchmarks have found of widths of its KV cache, by width.
    """

    name: str
    path: Path
    spec: ModelSpec
    budget: MemoryBudget
    effects: dict[int, KvEffect]

    @property
    def widths(self) -> tuple[int | None, ...]:
        """The widths of KV cache it can have."""
        return kv_cache_widths(self.spec)

    def stops(self, kv_cache_bits: int | None) -> tuple[int, ...]:
        """Return the contexts to choose from."""
        return context_stops(self.spec, self.budget.available_bytes, kv_cache_bits)

    def token_bytes(self, kv_cache_bits: int | None) -> float:
        """Return the bytes that one more token takes in the KV cache, as long as no window is full."""
        return sum(kv_token_bytes(self.spec, layers, kv_cache_bits) for layers in self.spec.kv_layers)


class ModelOptionsState(QObject):
    """Knows what can be chosen for the model in use, and what is.

    Signals:
        changed: anything of it is new.

    Attributes:
        facts: None while nothing is known.
        problem: why nothing can be known.
        chosen: what is chosen here, applied or not.
    """

    changed = Signal()

    def __init__(
        self,
        engine: EngineState,
        settings: SettingsState,
        metrics: MetricsState,
        history: Callable[[], BenchHistoryState],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._settings = settings
        self._metrics = metrics
        self._history = history
        self.facts: ModelFacts | None = None
        self.problem: UserFacingError | None = None
        self.chosen = ModelSettings()

    @property
    def applied(self) -> ModelSettings:
        """What is remembered for the model."""
        path = str(self.facts.path) if self.facts is not None else ""
        return self._settings.settings.model_settings.get(path, ModelSettings())

    @property
    def automatic_tokens(self) -> int | None:
        """The context that the model gets without a choice; None where it does not fit at all."""
        facts, model = self.facts, self._engine.model
        if facts is None:
            return None
        is_as_loaded = self.chosen.kv_cache_bits == self.applied.kv_cache_bits
        if model is not None and self.applied.context_tokens is None and is_as_loaded:
            return model.context_limit_tokens
        try:
            return automatic_context(facts.spec, facts.budget.available_bytes, self.chosen.kv_cache_bits)
        except MemoryShortError:
            return None

    def judgement(self, kv_cache_bits: int | None, context_tokens: int | None = None) -> Judgement | None:
        """Return whether the model fits with the chosen context, or another one, and what it takes."""
        context = context_tokens or self.chosen.context_tokens or self.automatic_tokens
        if self.facts is None or context is None:
            return None
        return judge(self.facts.spec, self.facts.budget, context, kv_cache_bits)

    async def refresh(self) -> None:
        """Look at the model in use and at the machine as they are now."""
        name, path = self._engine.model_name, self._engine.model_path
        self.facts = self.problem = None
        if name is not None and path is not None:
            try:
                spec, budget = await asyncio.to_thread(self._read, path)
                effects = await self._effects(path, spec)
                self.facts = ModelFacts(name=name, path=path, spec=spec, budget=budget, effects=effects)
            except UserFacingError as error:
                self.problem = error
        self.chosen = self.applied
        self.changed.emit()

    def choose(self, chosen: ModelSettings) -> None:
        """Choose, without applying it."""
        if chosen != self.chosen:
            self.chosen = chosen
            self.changed.emit()

    async def apply(self) -> None:
        """Remember what is chosen, and load the model with it."""
        facts, chosen = self.facts, self.chosen
        if facts is None:
            return

        def update(settings: Settings) -> Settings:
            others = {path: one for path, one in settings.model_settings.items() if path != str(facts.path)}
            mine = {str(facts.path): chosen} if chosen != ModelSettings() else {}
            return msgspec.structs.replace(settings, model_settings={**others, **mine})

        await self._settings.change(update)
        if self._settings.error is None:
            await self._engine.load(facts.name)

    def _read(self, path: Path) -> tuple[ModelSpec, MemoryBudget]:
        model, memory = self._engine.model, self._metrics.figures.memory
        working_set = model.working_set_bytes if model is not None else None
        device = msgspec.structs.replace(read_device(), recommended_working_set_bytes=working_set)
        loaded_bytes = memory.worker_resident_bytes if memory is not None and model is not None else 0
        return read_spec(path), memory_budget(device, loaded_bytes)

    async def _effects(self, path: Path, spec: ModelSpec) -> dict[int, KvEffect]:
        """Return what the latest run that varied the width has found for each."""
        history = self._history()
        await history.refresh()
        found: dict[int, KvEffect] = {}
        for run in history.runs:
            if OPTION in run.command:
                for effect in kv_effects(await history.rows(run.id), path.name, spec.weights_bytes):
                    found.setdefault(effect.kv_cache_bits, effect)
        return found
