"""What is to be measured: models, tests, repetitions; the plan that makes, and how long it takes."""

from __future__ import annotations

import asyncio

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.state.bench_candidates import Candidate, find_candidates, key_of_chat
from desktop.state.bench_estimate import Pace, expected_s, pace_of
from desktop.state.bench_history import BenchHistoryState
from desktop.state.engine_state import EngineState
from runtime.bench.comparison import EarlierRow
from runtime.bench.kv_variants import NAMES, kv_variants
from runtime.bench.own_chats import own_chats_text
from runtime.bench.plan import (
    PRESETS,
    BenchPlan,
    PresetName,
    checked_plan,
    context_error,
    fits_context,
    workloads_of,
)
from runtime.bench.quality import QualityText, shipped_text
from runtime.bench.workload import Workload, parse_workload
from runtime.config.paths import AppPaths
from runtime.library.predictions import EngineHistory, read_history
from runtime.metrics.device import read_device
from runtime.store.opening import FILE_NAME as CHATS_FILE_NAME
from runtime.values.errors import SettingsError, UserFacingError
from runtime.values.model import EngineName

FIRST_TESTS = "pp512, tg128"
FIRST_REPETITIONS = 5
KV_TESTS = "pp512, tg64@d1024"
"""What a quantized KV cache changes most: reading a prompt, and writing where there is something in the cache."""


class ChosenTests(msgspec.Struct, frozen=True, kw_only=True):
    """Which tests: those of a preset, or where `preset` is None the ones named.

    Attributes:
        preset: one of the three.
        names: names of tests, with commas between them.
        repetitions: how often each.
        quality: whether a text is scored, too.
        own_chats: whether that is the user's own chats; otherwise it is the one that comes with the app.
        kv_widths: whether each model is measured with quantized KV caches, too.
    """

    preset: PresetName | None = PresetName.QUICK
    names: str = FIRST_TESTS
    repetitions: int = FIRST_REPETITIONS
    quality: bool = False
    own_chats: bool = False
    kv_widths: bool = False

    @property
    def scores_text(self) -> bool:
        """Whether quality is measured, by one's own choice or as part of the preset."""
        return self.quality if self.preset is None else PRESETS[self.preset].quality


class BenchSetup(QObject):
    """Knows what can be chosen and what is.

    Signals:
        changed: anything of it is new.
    """

    changed = Signal()

    def __init__(
        self, paths: AppPaths, engine: EngineState, history: BenchHistoryState, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._paths = paths
        self._engine = engine
        self._history = history
        self._earlier: tuple[EarlierRow, ...] = ()
        self._known: dict[EngineName, EngineHistory] = {}
        self.candidates: tuple[Candidate, ...] = ()
        self.chosen: frozenset[str] = frozenset()
        self.tests = ChosenTests()
        self.problem: UserFacingError | None = None
        self._own_chats: QualityText | UserFacingError | None = None

    async def refresh(self) -> None:
        """Look at the models, and at what is known of their speed; the chat's model is chosen at first."""
        try:
            self.candidates = await asyncio.to_thread(find_candidates, self._paths, self._engine.model_name)
            self.problem = None
        except SettingsError as error:
            self.problem = error
        used = await asyncio.to_thread(key_of_chat, self._engine.model_name, self._paths)
        offered = [one.key for one in self.candidates if not one.problem]
        kept = self.chosen & set(offered)
        self.chosen = kept or frozenset([used] if used in offered else offered[:1])
        self.changed.emit()
        await self.learn()

    async def learn(self) -> None:
        """Look again at what is known of the models' speed, and at the chats."""
        self._earlier = await self._history.before(None)
        self._known = await asyncio.to_thread(self._read_known)
        self._own_chats = await asyncio.to_thread(self._read_own_chats)
        if self.own_chats_problem is not None:
            self.tests = msgspec.structs.replace(self.tests, own_chats=False)
        self.changed.emit()

    @property
    def own_chats_problem(self) -> UserFacingError | None:
        """Why models cannot be scored on the user's own chats; None where they can, or nobody has looked yet."""
        return self._own_chats if isinstance(self._own_chats, UserFacingError) else None

    @property
    def has_own_chats(self) -> bool:
        """Whether models can be scored on the user's own chats."""
        return isinstance(self._own_chats, QualityText)

    def choose_models(self, keys: frozenset[str]) -> None:
        """Measure these."""
        if keys != self.chosen:
            self.chosen = keys
            self.changed.emit()

    def choose_tests(self, tests: ChosenTests) -> None:
        """Measure this."""
        if tests != self.tests:
            self.tests = tests
            self.changed.emit()

    async def choose_kv_widths(self) -> None:
        """Choose to measure what a quantized KV cache costs the model of the chat, in speed and quality."""
        await self.refresh()
        used = await asyncio.to_thread(key_of_chat, self._engine.model_name, self._paths)
        self.chosen = frozenset([used]) if used else self.chosen
        self.tests = ChosenTests(preset=None, names=KV_TESTS, quality=True, kv_widths=True)
        self.changed.emit()

    @property
    def chosen_candidates(self) -> tuple[Candidate, ...]:
        """The models that are chosen, in the order of the list."""
        return tuple(one for one in self.candidates if one.key in self.chosen)

    def plan(self) -> BenchPlan:
        """Return what the choices ask for.

        Raises:
            InvalidRequestError: nothing is chosen, a test is not understood, or a context has no room for it.
        """
        tests = self.tests
        widths = NAMES.values() if tests.kv_widths else (None,)
        models = tuple(variant for one in self.chosen_candidates for variant in kv_variants(one.model, widths))
        preset = PRESETS[tests.preset] if tests.preset is not None else None
        plan = checked_plan(
            BenchPlan(
                models=models,
                workloads=self._workloads(),
                repetitions=preset.repetitions if preset is not None else tests.repetitions,
                budget_s=preset.budget_s if preset is not None else None,
                leave_out=preset is not None,
                quality=self._text() if tests.scores_text else None,
            )
        )
        if not plan.leave_out:
            self._check_contexts(plan)
        return plan

    def expected_s(self, plan: BenchPlan) -> float | None:
        """Return about how many seconds a plan takes; None where nothing is known yet that says so."""
        paces: list[tuple[Candidate, Pace]] = []
        for candidate in self.chosen_candidates:
            pace = pace_of(candidate, self._earlier, self._known.get(candidate.model.engine, EngineHistory()))
            if pace is None:
                return None
            paces += [(candidate, pace)] * (len(NAMES) if self.tests.kv_widths else 1)
        return expected_s(plan, paces)

    def _workloads(self) -> tuple[Workload, ...]:
        tests = self.tests
        if tests.preset is None:
            names = [name for name in (part.strip() for part in tests.names.split(",")) if name]
            return tuple(parse_workload(name) for name in names)
        contexts = [one.context_tokens for one in self.chosen_candidates if one.context_tokens is not None]
        grid = PRESETS[tests.preset].grid
        if not contexts:  # Nobody says how deep is deepest.
            grid = msgspec.structs.replace(grid, depths=tuple(depth for depth in grid.depths if depth is not None))
        return workloads_of(grid, min(contexts, default=None))

    def _text(self) -> QualityText:
        if self.tests.own_chats and isinstance(self._own_chats, QualityText):
            return self._own_chats
        return shipped_text(self._paths.assets)

    def _read_own_chats(self) -> QualityText | UserFacingError:
        try:
            return own_chats_text(self._paths.data / CHATS_FILE_NAME)
        except UserFacingError as error:
            return error

    def _check_contexts(self, plan: BenchPlan) -> None:
        for candidate in self.chosen_candidates:
            limit = candidate.model.options.context_tokens or candidate.context_tokens
            for workload in plan.workloads:
                if limit is not None and not fits_context(workload, limit):
                    raise context_error(workload, candidate.name, limit)

    def _read_known(self) -> dict[EngineName, EngineHistory]:
        device = read_device()
        return {engine: read_history(self._paths, device, engine) for engine in EngineName}
