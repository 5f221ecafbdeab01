"""Runs a plan: identifies the models, then measures phase by phase, variants interleaved, and keeps what is measured.

A model that cannot be loaded, a worker that dies, a test that a model cannot do: the row says so, and the run goes on.
Cancelling drops the repetition under way and keeps all before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic, perf_counter_ns

import msgspec

from runtime.bench.compute_roof import ComputeRoofs
from runtime.bench.conditions import Probe, conditions_between
from runtime.bench.environment import Environment, read_environment
from runtime.bench.measurement import Measured
from runtime.bench.model_identity import HashCache, ModelIdentity, identify, unidentified
from runtime.bench.phases import Phase, fits_together, phases_of
from runtime.bench.plan import BenchPlan, Step, checked_plan, context_error, fits_context
from runtime.bench.progress import Activity, BenchProgress, Clock
from runtime.bench.quality import QualityText
from runtime.bench.record import BenchRow, RowStatus
from runtime.bench.requests import RunStoppedError, StopSignal
from runtime.bench.row_draft import RowDraft
from runtime.bench.variant import Variant, load_options
from runtime.bench.variant_quality import ModelQuality, Scoring
from runtime.bench.workload import Decode, Prefill, context_need_tokens, name_of
from runtime.client.base import EngineClient, ModelToLoad
from runtime.values.errors import FirstTokenError, MemoryShortError
from runtime.values.model import LoadOptions


class BenchResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to.

    Attributes:
        rows: one for each test on each model, tests in the order of the plan, models side by side.
        quality: how well each model predicts the plan's text; empty without one. The rows have it, too.
        cancelled: whether the run was ended early.
    """

    rows: tuple[BenchRow, ...]
    quality: tuple[ModelQuality, ...]
    cancelled: bool


class BenchRun:
    """One run of one plan.

    Args:
        plan: what to measure.
        make_client: gives a client for each model; nothing is loaded yet.
        hashes: knows the models' hashes, or computes them.
        probe: looks at the machine.
        on_progress: told where the run is.
        on_row: given a row each time it has changed.
    """

    def __init__(
        self,
        plan: BenchPlan,
        make_client: Callable[[], EngineClient],
        hashes: HashCache,
        probe: Probe,
        on_progress: Callable[[BenchProgress], None] = lambda _: None,
        on_row: Callable[[BenchRow], None] = lambda _: None,
    ) -> None:
        self.plan = checked_plan(plan)
        self._make_client = make_client
        self._hashes = hashes
        self._probe = probe
        self._on_progress = on_progress
        self._on_row = on_row
        self._stop = StopSignal()
        self._roofs = ComputeRoofs(make_client, self.plan.seed, self._stop)
        self._clock = Clock(())
        self._measuring_since = 0.0
        self._variants: list[Variant] = []
        self._drafts: list[list[RowDraft]] = []
        self._unreadable: set[int] = set()
        self._quality: tuple[ModelQuality, ...] = ()

    def cancel(self) -> None:
        """End the run early; `run` returns soon with what there is. Idempotent."""
        self._stop.request()

    async def run(self) -> BenchResult:
        """Measure everything.

        Raises:
            InvalidRequestError: a test takes more context than a model has, and the plan does not leave such out.
        """
        environment = await asyncio.to_thread(read_environment)
        try:
            await self._identify(environment)
            self._leave_out()
            phases = phases_of(self.plan)
            self._clock = Clock(
                (step for phase in phases for step in self._open_steps(phase, together=True)),
                tokens_to_score=self.plan.quality_tokens * len(self._readable) if self.plan.quality else 0,
            )
            for phase in phases:
                await self._run_phase(phase, environment)
            if self.plan.quality is not None:
                await self._score(self.plan.quality)
        except RunStoppedError:
            pass
        finally:
            for variant in self._variants:
                await variant.close()
        return self._result()

    def _result(self) -> BenchResult:
        cancelled = self._stop.requested
        for draft in self._all_drafts():
            draft.end_unfinished(cancelled=cancelled)
        rows = tuple(draft.row() for draft in self._all_drafts())
        return BenchResult(rows=rows, quality=self._quality, cancelled=cancelled)

    def _all_drafts(self) -> list[RowDraft]:
        """Return the drafts workload by workload, models side by side."""
        return [draft for drafts in zip(*self._drafts, strict=True) for draft in drafts]

    async def _identify(self, environment: Environment) -> None:
        """Find out which models these are; one that cannot be read fails here, and the others go on."""
        for model in self.plan.models:
            self._stop.check()
            name = name_of_model(model)
            self._on_progress(self._clock.progress(Activity.IDENTIFYING, name))
            identity, problem = await asyncio.to_thread(_identity, name, model, self._hashes)
            variant = Variant(model, identity, self._make_client(), self.plan.seed, self._stop)
            drafts = [RowDraft(workload, variant, environment, self.plan) for workload in self.plan.workloads]
            self._variants.append(variant)
            self._drafts.append(drafts)
            if problem is not None:
                self._unreadable.add(len(self._variants) - 1)
                self._end(drafts, RowStatus.FAILED, problem)

    @property
    def _readable(self) -> list[int]:
        """The variants whose files could be read."""
        return [index for index in range(len(self._variants)) if index not in self._unreadable]

    def _leave_out(self) -> None:
        """Leave out, or refuse, what a model's context has no room for."""
        for variant, drafts in zip(self._variants, self._drafts, strict=True):
            limit = variant.model.options.context_tokens or variant.identity.context_tokens
            for draft in drafts:
                if limit is not None and not fits_context(draft.workload, limit):
                    error = context_error(draft.workload, variant.identity.name, limit)
                    if not self.plan.leave_out:
                        raise error
                    self._end([draft], RowStatus.LEFT_OUT, error)

    def _open_steps(self, phase: Phase, *, together: bool) -> list[Step]:
        return [step for step in phase.steps(together=together) if self._draft(step).is_open]

    def _draft(self, step: Step) -> RowDraft:
        return self._drafts[step.variant][self.plan.workloads.index(step.workload)]

    def _phase_drafts(self, phase: Phase, variant: int) -> list[RowDraft]:
        """Return what of a phase is still to be measured on a variant."""
        return [draft for draft in self._drafts[variant] if draft.workload in phase.workloads and draft.is_open]

    def _options(self, phase: Phase, variant: int) -> LoadOptions:
        """Return how a variant is loaded for what it still has to do in a phase."""
        workloads = [draft.workload for draft in self._phase_drafts(phase, variant)]
        one = self._variants[variant]
        return load_options(one.model.options, workloads, phase.parallel, one.identity.context_tokens)

    async def _run_phase(self, phase: Phase, environment: Environment) -> None:
        active = [index for index in range(len(self._variants)) if self._phase_drafts(phase, index)]
        plans = [(self._variants[index].model, self._options(phase, index)) for index in active]
        together = await asyncio.to_thread(fits_together, plans, environment.available_memory_bytes)
        options = {index: self._options(phase, index) for index in active}
        rounds: list[float] = []
        round_begun, last = monotonic(), 0
        for step in phase.steps(together=together):
            if step.repetition != last:
                rounds.append(monotonic() - round_begun)
                round_begun, last = monotonic(), step.repetition
            draft = self._draft(step)
            if not draft.is_open or self._is_out_of_time(step, rounds):
                self._clock.drop(step)
                continue
            if not together:
                await self._release_others(step.variant)
            begun = self._measuring_since = monotonic()
            options[step.variant] = await self._run_step(phase, step, options[step.variant], together=together)
            # Before the first repetition, models are loaded and the machine's limits measured: once.
            self._clock.finish(step, monotonic() - (begun if step.repetition else self._measuring_since))
            self._on_row(draft.row())

    def _is_out_of_time(self, step: Step, rounds: list[float]) -> bool:
        """Return whether a round that is about to begin would likely end beyond the plan's budget."""
        if self.plan.budget_s is None or not rounds or step.repetition == 0:
            return False
        return self._clock.elapsed_s + sum(rounds) / len(rounds) > self.plan.budget_s

    async def _release_others(self, variant: int) -> None:
        for index, other in enumerate(self._variants):
            if index != variant and other.loaded is not None:
                await other.release()

    async def _run_step(self, phase: Phase, step: Step, options: LoadOptions, *, together: bool) -> LoadOptions:
        """Make one repetition; return how the variant is loaded from now on, which may be with less context."""
        variant, draft = self._variants[step.variant], self._draft(step)

        def tell(activity: Activity, test: str) -> None:
            self._on_progress(self._clock.progress(activity, variant.identity.name, test))

        try:
            if not phase.is_cold:
                options = await self._ready(phase, step, options, tell)
                if not draft.is_open:
                    return options
                await variant.warm_up(step.workload, tell)
                if isinstance(step.workload, Decode | Prefill):
                    await variant.measure_bandwidth()
                if isinstance(step.workload, Prefill):
                    await self._roofs.find(variant, options)
            draft.begin(options, shared_memory=together)
            self._measuring_since = monotonic()
            tell(Activity.MEASURING, name_of(step.workload))
            await self._measure(phase, step, options)
        except FirstTokenError as error:
            variant.note_failure(error)
            self._end([draft], RowStatus.FAILED, error)
        return options

    async def _ready(
        self, phase: Phase, step: Step, options: LoadOptions, tell: Callable[[Activity, str], None]
    ) -> LoadOptions:
        """Have the variant loaded; where the memory is short, give up the tests that need the longest context."""
        variant = self._variants[step.variant]
        while True:
            try:
                await variant.ready(options, tell)
            except MemoryShortError as error:
                drafts = self._phase_drafts(phase, step.variant)
                longest = max(context_need_tokens(draft.workload) for draft in drafts)
                ending = [draft for draft in drafts if context_need_tokens(draft.workload) == longest]
                self._end(ending, RowStatus.FAILED, error)
                if not self._draft(step).is_open:
                    return options
                options = self._options(phase, step.variant)
            except FirstTokenError as error:
                self._end(self._phase_drafts(phase, step.variant), RowStatus.FAILED, error)
                return options
            else:
                await asyncio.to_thread(self._probe.watch)
                return options

    async def _measure(self, phase: Phase, step: Step, options: LoadOptions) -> None:
        variant = self._variants[step.variant]
        if phase.is_cold:
            # The processor time of the worker that goes would be missing from the second reading: as others' load.
            await variant.release()
            await asyncio.to_thread(self._probe.watch)
        before = await asyncio.to_thread(self._probe.read)
        measured: Measured
        if phase.is_cold:
            submitted_ns = perf_counter_ns()
            await variant.load(options)
            measured = await variant.meter().measure(step.workload, step.repetition, submitted_ns)
            await asyncio.to_thread(self._probe.watch)
        else:
            measured = await variant.meter().measure(step.workload, step.repetition)
        after = await asyncio.to_thread(self._probe.read)
        self._draft(step).add(measured, conditions_between(before, after))

    async def _score(self, text: QualityText) -> None:
        """Score every model that can be read, one after the other: what it says does not depend on the moment."""
        scoring = Scoring(text, self.plan.quality_tokens, self._stop)
        for place, index in enumerate(self._readable, start=1):
            await self._release_others(index)
            variants_left = len(self._readable) - place
            await scoring.score(self._variants[index], self._clock, self._on_progress, variants_left)
        self._quality = scoring.figures()
        for found in self._quality:
            for draft in self._all_drafts():
                if found.figures is not None and draft.is_about(found.model):
                    draft.note_quality(found.figures)
                    self._on_row(draft.row())

    def _end(self, drafts: list[RowDraft], status: RowStatus, error: FirstTokenError) -> None:
        for draft in drafts:
            draft.end(status, error)
            self._on_row(draft.row())


def name_of_model(model: ModelToLoad) -> str:
    """Return what the user calls a model."""
    return model.options.model_name or model.path


def _identity(name: str, model: ModelToLoad, hashes: HashCache) -> tuple[ModelIdentity, FirstTokenError | None]:
    try:
        return identify(name, Path(model.path), model.engine, hashes), None
    except FirstTokenError as error:
        return unidentified(name, Path(model.path), model.engine), error
