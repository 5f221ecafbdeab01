"""The verdict follows from need and budget, and never turns better for a larger need or a smaller budget."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.library.fit import UNSTATED_CONTEXT_TOKENS, memory_need
from runtime.library.verdict import (
    COMFORTABLE_SHARE,
    MemoryBudget,
    Verdict,
    judge,
    memory_budget,
    verdict_of,
)
from runtime.metrics.device import read_device
from tests.runtime.library.test_fit import SPEC

GB = 10**9
PC = msgspec.structs.replace(read_device(), total_memory_bytes=16 * GB, available_memory_bytes=8 * GB)
MAC = msgspec.structs.replace(PC, os="macOS", architecture="arm64", recommended_working_set_bytes=12 * GB)
ORDER = (Verdict.WILL_NOT_FIT, Verdict.TIGHT, Verdict.FITS)


def test_free_memory_and_what_the_loaded_model_gives_back() -> None:
    assert memory_budget(PC) == MemoryBudget(available_bytes=8 * GB)
    assert memory_budget(PC, 3 * GB) == MemoryBudget(available_bytes=11 * GB, given_back_bytes=3 * GB)


def test_no_more_than_the_machine_has() -> None:
    assert memory_budget(PC, 30 * GB).available_bytes == 16 * GB


def test_apple_silicon_gives_most_of_the_working_set_whatever_is_loaded() -> None:
    budget = memory_budget(MAC, 3 * GB)

    assert budget.is_working_set
    assert budget.available_bytes == pytest.approx(0.9 * 12 * GB)
    assert memory_budget(MAC).available_bytes == budget.available_bytes


@pytest.mark.parametrize(
    ("need", "verdict"),
    [(1, Verdict.FITS), (850, Verdict.FITS), (851, Verdict.TIGHT), (1000, Verdict.TIGHT), (1001, Verdict.WILL_NOT_FIT)],
)
def test_the_borders(need: int, verdict: Verdict) -> None:
    assert verdict_of(need, MemoryBudget(available_bytes=1000)) is verdict


@given(need=st.integers(0, 10**13), more=st.integers(0, 10**13), available=st.integers(0, 10**13))
def test_a_larger_need_or_a_smaller_budget_never_fits_better(need: int, more: int, available: int) -> None:
    def rank(need_bytes: int, available_bytes: int) -> int:
        return ORDER.index(verdict_of(need_bytes, MemoryBudget(available_bytes=available_bytes)))

    assert rank(need + more, available) <= rank(need, available) <= rank(need, available + more)


def test_a_judgement_has_all_terms_and_the_longest_context() -> None:
    need = memory_need(SPEC, 8192)
    budget = MemoryBudget(available_bytes=round(need.total_bytes / COMFORTABLE_SHARE) + 1)
    judgement = judge(SPEC, budget)

    assert judgement.need == need
    assert judgement.verdict is Verdict.FITS
    assert 8192 <= judgement.largest_context_tokens < 32_768
    assert judge(SPEC, budget, 32_768).verdict is Verdict.WILL_NOT_FIT
    assert judge(SPEC, budget, judgement.largest_context_tokens).verdict is Verdict.TIGHT


def test_weights_alone_may_be_too_much() -> None:
    judgement = judge(SPEC, MemoryBudget(available_bytes=GB // 4))

    assert judgement.verdict is Verdict.WILL_NOT_FIT
    assert judgement.largest_context_tokens == 0


@pytest.mark.parametrize(("limit", "context"), [(2048, 2048), (None, UNSTATED_CONTEXT_TOKENS), (100_000, 8192)])
def test_the_context_that_is_judged_when_none_is_named(limit: int | None, context: int) -> None:
    spec = msgspec.structs.replace(SPEC, context_tokens=limit)

    assert judge(spec, MemoryBudget(available_bytes=GB)).need.context_tokens == context


def test_a_quantized_cache_is_judged_as_one() -> None:
    budget = MemoryBudget(available_bytes=GB)

    assert judge(SPEC, budget, kv_cache_bits=4).need.kv_cache_bytes < judge(SPEC, budget).need.kv_cache_bytes
