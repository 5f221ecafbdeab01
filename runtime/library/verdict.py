"""Whether a model will fit here, before it is downloaded: what it needs against what this machine can give.

What the machine can give is, on Apple Silicon, most of the working set that Metal recommends; elsewhere the memory
that is free. A model that is loaded now goes before the next one comes, so what it takes counts as free.

    fits           the need takes at most 85 % of that: the estimate may be 10 % off, and other programs go on
    tight          it takes more, but not more than all of it
    will not fit   it takes more
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from runtime.library.fit import UNSTATED_CONTEXT_TOKENS, MemoryNeed, largest_context, memory_need
from runtime.library.spec import ModelSpec
from runtime.metrics.device import DeviceInfo

WORKING_SET_SHARE = 0.9
"""Of what Metal recommends; the rest is the system's and the window's."""
COMFORTABLE_SHARE = 0.85
USUAL_CONTEXT_TOKENS = 8192


class Verdict(StrEnum):
    """Whether a model fits in memory."""

    FITS = "fits"
    TIGHT = "tight"
    WILL_NOT_FIT = "will not fit"


class MemoryBudget(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine can give a model.

    Attributes:
        available_bytes: all of it.
        given_back_bytes: the part of it that the model which is loaded now gives back.
        is_working_set: whether it is a share of the working set that Metal recommends, rather than free memory.
    """

    available_bytes: int
    given_back_bytes: int = 0
    is_working_set: bool = False


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a model fits, and how that was found.

    Attributes:
        verdict: the answer.
        need: what it takes with the context asked about, term by term.
        budget: what there is.
        largest_context_tokens: the longest context that fits; 0 if none does.
    """

    verdict: Verdict
    need: MemoryNeed
    budget: MemoryBudget
    largest_context_tokens: int


def memory_budget(device: DeviceInfo, loaded_bytes: int = 0) -> MemoryBudget:
    """Return what `device` can give a model.

    Args:
        device: the machine as it is now.
        loaded_bytes: resident memory of the worker with the model that is loaded; 0 if none is.
    """
    if device.recommended_working_set_bytes is not None:
        share = int(device.recommended_working_set_bytes * WORKING_SET_SHARE)
        return MemoryBudget(available_bytes=share, given_back_bytes=min(loaded_bytes, share), is_working_set=True)
    free = min(device.available_memory_bytes + loaded_bytes, device.total_memory_bytes)
    return MemoryBudget(available_bytes=free, given_back_bytes=min(loaded_bytes, free))


def judge(
    spec: ModelSpec, budget: MemoryBudget, context_tokens: int | None = None, kv_cache_bits: int | None = None
) -> Judgement:
    """Return whether the model fits with a context of `context_tokens`.

    None asks about 8,192 tokens, or the model's own limit where that is less.
    """
    context = context_tokens or min(USUAL_CONTEXT_TOKENS, spec.context_tokens or UNSTATED_CONTEXT_TOKENS)
    need = memory_need(spec, context, kv_cache_bits)
    return Judgement(
        verdict=verdict_of(need.total_bytes, budget),
        need=need,
        budget=budget,
        largest_context_tokens=largest_context(spec, budget.available_bytes, kv_cache_bits),
    )


def verdict_of(need_bytes: int, budget: MemoryBudget) -> Verdict:
    """Return whether so much fits."""
    if need_bytes > budget.available_bytes:
        return Verdict.WILL_NOT_FIT
    return Verdict.FITS if need_bytes <= budget.available_bytes * COMFORTABLE_SHARE else Verdict.TIGHT
