"""What goes when the budget is spent."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runtime.kv_store.eviction import GB, default_budget_bytes, keeping_cost, to_evict
from runtime.kv_store.folder import KvEntry
from runtime.kv_store.record import FORM, KvRecord
from tests.runtime.kv_store.caches import SCOPE

NOW_S = 1e9
TIMES = st.floats(-1e12, 1e12)


def entry(size: int, used_s: float, saved_ms: float = 100.0) -> KvEntry:
    record = KvRecord(
        form=FORM,
        scope=SCOPE,
        tokens=(1,),
        layout="",
        payload_bytes=size,
        payload_digest="",
        saved_ms=saved_ms,
        created_s=used_s,
    )
    return KvEntry(record=record, path=Path("x.json"), used_s=used_s)


ENTRIES = st.lists(st.builds(entry, st.integers(0, 1000), TIMES, st.floats(-1, 1e6)), max_size=8)


@given(entries=ENTRIES, needed=st.integers(0, 1000), budget=st.integers(0, 5000), now_s=TIMES)
def test_keeps_to_the_budget_whatever_the_clock_says(
    entries: list[KvEntry], needed: int, budget: int, now_s: float
) -> None:
    evicted = to_evict(entries, needed, budget, now_s)
    total = sum(one.total_bytes for one in entries) + needed
    assert total - sum(one.total_bytes for one in evicted) <= max(budget, needed)
    if evicted:
        assert total - sum(one.total_bytes for one in evicted[:-1]) > budget
        least = min(keeping_cost(one, now_s) for one in evicted)
        assert all(keeping_cost(one, now_s) <= least for one in entries if one not in evicted)


def test_old_large_and_cheap_to_read_go_first() -> None:
    usual = entry(100, NOW_S - 100)
    for worse in (entry(100, NOW_S - 101), entry(101, NOW_S - 100), entry(100, NOW_S - 100, saved_ms=99)):
        assert to_evict([usual, worse], 0, 150, NOW_S) == [worse]


def test_what_was_used_in_the_future_counts_as_used_now() -> None:
    assert keeping_cost(entry(100, NOW_S + 1e6), NOW_S) == keeping_cost(entry(100, NOW_S), NOW_S)


def test_the_default_budget_is_a_tenth_of_what_is_free() -> None:
    assert default_budget_bytes(30 * GB, 0) == default_budget_bytes(28 * GB, 2 * GB) == 3 * GB
    assert default_budget_bytes(200 * GB, 0) == 10 * GB
