"""How long a benchmark will take, before it begins: from earlier results, else from what memory and arithmetic allow.

A rough figure for people who decide whether to wait; the time left during a run comes from the run itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

import msgspec

from desktop.state.bench_candidates import Candidate
from runtime.bench.comparison import EarlierRow
from runtime.bench.plan import BenchPlan, fits_context
from runtime.bench.workload import (
    CHAT_PROMPT_ROOM_TOKENS,
    DECODE_WEIGHT,
    CacheState,
    ChatReply,
    Decode,
    Prefill,
    Serving,
    Workload,
)
from runtime.library.predictions import OPERATIONS_PER_WEIGHT, EngineHistory

STARTING_S = 1.5
"""A worker starts, and a model's file is mapped."""
LOADING_BYTES_PER_S = 2e9
STEP_S = 0.1
"""Looking at the machine before and after each repetition."""
WARM_UP_TOKENS = 8


class Pace(msgspec.Struct, frozen=True):
    """How fast a model reads and writes, in tokens a second."""

    prefill_ts: float
    decode_ts: float


def pace_of(candidate: Candidate, earlier: Sequence[EarlierRow], known: EngineHistory) -> Pace | None:
    """Return how fast `candidate` will be; None where nothing is known that says so."""
    mine = [row for row in earlier if row.model.name == candidate.name and row.engine == candidate.model.engine]
    decode = _last_rate(mine, lambda row: row.n_gen > 0 and row.n_prompt == 0)
    if decode is None and known.bandwidth is not None and candidate.size_bytes:
        decode = known.efficiency * known.bandwidth.bytes_per_second / candidate.size_bytes
    if decode is None:
        return None
    prefill = _last_rate(mine, lambda row: row.n_prompt > 0 and row.n_gen == 0)
    if prefill is None and known.operations_per_second is not None and candidate.parameters:
        prefill = known.operations_per_second / (OPERATIONS_PER_WEIGHT * candidate.parameters)
    return Pace(prefill if prefill is not None else decode * DECODE_WEIGHT, decode)


def expected_s(plan: BenchPlan, chosen: Sequence[tuple[Candidate, Pace]]) -> float:
    """Return about how many seconds `plan` takes on the models `chosen`."""
    total = 0.0
    for candidate, pace in chosen:
        workloads = [one for one in plan.workloads if fits_context(one, candidate.context_tokens)]
        loading = STARTING_S + candidate.size_bytes / LOADING_BYTES_PER_S
        loads = len({_phase(one) for one in workloads})
        once = sum(_seconds(one, pace, loading) for one in workloads)
        total += loading * loads + sum(_warm_up_s(one, pace) for one in workloads) + once * plan.repetitions
        if plan.quality is not None:
            total += plan.quality_tokens / pace.decode_ts
    return total if plan.budget_s is None else min(total, max(plan.budget_s, total / max(1, plan.repetitions)))


def _last_rate(rows: Sequence[EarlierRow], fits: Callable[[EarlierRow], bool]) -> float | None:
    rates = [sum(row.samples_ts) / len(row.samples_ts) for row in rows if row.samples_ts and fits(row)]
    return rates[-1] if rates else None


def _phase(workload: Workload) -> str:
    match workload:
        case Serving():
            return "serving"
        case ChatReply(_, CacheState.COLD):
            return "cold"
        case _:
            return "single"


def _seconds(workload: Workload, pace: Pace, loading_s: float) -> float:
    match workload:
        case Prefill(prompt, depth):
            return STEP_S + (depth + prompt) / pace.prefill_ts
        case Decode(generate, depth):
            return STEP_S + depth / pace.prefill_ts + generate / pace.decode_ts
        case Serving(prompt, generate, concurrency):
            return STEP_S + concurrency * (prompt / pace.prefill_ts + generate / pace.decode_ts)
        case ChatReply(generate, cache):
            reading = CHAT_PROMPT_ROOM_TOKENS / 2 / pace.prefill_ts
            return STEP_S + reading + generate / pace.decode_ts + (loading_s if cache is CacheState.COLD else 0.0)
        case _:
            assert_never(workload)


def _warm_up_s(workload: Workload, pace: Pace) -> float:
    prompt = getattr(workload, "prompt_tokens", 0)
    return float(prompt / pace.prefill_ts) + WARM_UP_TOKENS / pace.decode_ts
