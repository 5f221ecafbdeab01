"""A row while it is being measured: what is known so far, and the row that it makes at any moment."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from runtime.bench.conditions import Conditions
from runtime.bench.environment import Environment
from runtime.bench.measurement import Measured, cache_text
from runtime.bench.model_identity import ModelIdentity
from runtime.bench.plan import BenchPlan
from runtime.bench.quality import QualityFigures
from runtime.bench.record import (
    BenchRow,
    RowCompute,
    RowContext,
    RowRoofline,
    RowSettings,
    RowStatus,
    Sample,
    Scope,
    row_of,
)
from runtime.bench.variant import Variant
from runtime.bench.workload import ChatReply, Decode, Prefill, Workload
from runtime.metrics.roofline import MEASURING_ERROR, reply_roofline
from runtime.values.errors import ErrorReport, FirstTokenError, report_of
from runtime.values.generation import GenerationStats
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import LoadedModel, LoadOptions
from runtime.values.sampling import GREEDY, SamplingParams

OPERATIONS_PER_WEIGHT = 2
"""A multiplication and an addition."""


class RowDraft:
    """One workload on one model.

    Args:
        workload: what is measured.
        variant: on which model.
        environment: on which machine.
        plan: as part of which run.
    """

    def __init__(self, workload: Workload, variant: Variant, environment: Environment, plan: BenchPlan) -> None:
        self.workload = workload
        self.status: RowStatus | None = None
        self._variant = variant
        self._environment = environment
        self._plan = plan
        self._samples: list[Sample] = []
        self._stats: GenerationStats | None = None
        self._loaded: LoadedModel | None = None
        self._load_ms: float | None = None
        self._options = variant.model.options
        self._shared_memory = False
        self._error: ErrorReport | None = None
        self._test_time = _utc_now()
        self._quality: QualityFigures | None = None

    @property
    def is_open(self) -> bool:
        """Whether more repetitions make sense."""
        return self.status is None

    def is_about(self, model: ModelIdentity) -> bool:
        """Return whether the row is about `model`."""
        return self._variant.identity is model

    def begin(self, options: LoadOptions, *, shared_memory: bool) -> None:
        """Note how the model is loaded, and when the first repetition began."""
        self._options, self._shared_memory = options, shared_memory
        if not self._samples:
            self._test_time = _utc_now()

    def add(self, measured: Measured, conditions: Conditions) -> None:
        """Take a repetition."""
        self._samples.append(msgspec.structs.replace(measured.sample, conditions=conditions))
        self._stats = measured.stats
        self._loaded, self._load_ms = self._variant.loaded, self._variant.load_ms
        if len(self._samples) >= self._plan.repetitions:
            self.status = RowStatus.DONE

    def note_quality(self, figures: QualityFigures) -> None:
        """Take how well the model predicts a text."""
        self._quality = figures

    def end(self, status: RowStatus, error: FirstTokenError | None = None) -> None:
        """Close the row; what has been measured stays in it."""
        self.status = status
        self._error = None if error is None else report_of(error)

    def row(self) -> BenchRow:
        """Return the row as of now; one that is still open counts as cancelled."""
        status = self.status or RowStatus.CANCELLED
        made = row_of(self._context(), self._samples, status, self._error, self._roofline())
        flops = self._flops_per_second(made)
        return msgspec.structs.replace(
            made, flops_per_second=flops, compute=self._compute(flops), quality=self._quality
        )

    def end_unfinished(self, *, cancelled: bool) -> None:
        """Close a row that is still open when the run ends; a run that kept to its time is done with fewer samples."""
        if self.is_open:
            self.status = RowStatus.CANCELLED if cancelled or not self._samples else RowStatus.DONE

    def _context(self) -> RowContext:
        is_chat, loaded = isinstance(self.workload, ChatReply), self._loaded or self._variant.loaded
        return RowContext(
            workload=self.workload,
            engine=self._variant.model.engine,
            model=self._variant.identity,
            environment=self._environment,
            settings=RowSettings(
                seed=self._plan.seed,
                repetitions=self._plan.repetitions,
                load=msgspec.structs.replace(self._options, requested_ns=None),
                sampling=SamplingParams(seed=self._plan.seed) if is_chat else GREEDY,
                shared_memory=self._shared_memory,
            ),
            scope=Scope.CHAT if is_chat else Scope.ENGINE,
            cache=cache_text(self.workload),
            test_time=self._test_time,
            engine_version=loaded.engine_version if loaded else None,
            device=loaded.device if loaded else None,
            load_ms=self._load_ms,
            advice=loaded.advice if loaded else None,
        )

    def _flops_per_second(self, made: BenchRow) -> float | None:
        reads = self._loaded.decode_reads if self._loaded is not None else None
        parameters = self._variant.identity.parameters
        if not isinstance(self.workload, Prefill) or reads is None or parameters is None or made.avg_ts is None:
            return None
        met_bytes = reads.prompt_weights_bytes
        if met_bytes is None:
            return None
        # Of experts, of tables and of what only the last token meets, the part that every token multiplies with.
        active = parameters * min(1.0, met_bytes / max(1, self._variant.identity.weights_bytes))
        return OPERATIONS_PER_WEIGHT * active * made.avg_ts

    def _compute(self, flops_per_second: float | None) -> RowCompute | None:
        if flops_per_second is None:
            return None
        peak = self._variant.peak_flops
        share = flops_per_second / peak if peak else None
        return RowCompute(
            flops_per_second=flops_per_second,
            peak_flops_per_second=peak,
            share=share if share is not None and share <= 1 + MEASURING_ERROR else None,
        )

    def _roofline(self) -> RowRoofline | None:
        if not isinstance(self.workload, Decode) or self._stats is None:
            return None
        timed = [sample.tokens_per_second for sample in self._samples if sample.is_timed]
        return _roofline(self._stats, timed, self._loaded, self._variant.bandwidth)


def _roofline(
    stats: GenerationStats, rates: list[float], model: LoadedModel | None, bandwidth: MemoryBandwidth | None
) -> RowRoofline | None:
    """Return the limit at the context of the last repetition, which was that of all, against their mean rate."""
    if not rates:
        return None
    mean = sum(rates) / len(rates)
    found = reply_roofline(msgspec.structs.replace(stats, decode_tokens_per_second=mean), model, bandwidth)
    if found is None:
        return None
    return RowRoofline(
        bound=found.bound,
        bandwidth_bytes_per_second=found.bandwidth_bytes_per_second,
        bytes_per_token=found.bytes_per_token,
        ceiling_ts=found.ceiling_tokens_per_second,
        share=found.share,
    )


def _utc_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
