"""Figures from time stamps: known cases by hand, invariants by property."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.metrics.timeline import (
    PromptTimeline,
    decode_tokens_per_second,
    live_tokens_per_second,
    prefill_tokens_per_second,
    ttft_parts,
)

MS = 1_000_000


def timeline(**marks: int) -> PromptTimeline:
    defaults = {
        "submitted": 1000 * MS,
        "load_started": 0,
        "load_ended": 10 * MS,
        "started": 1002 * MS,
        "tokenized": 1005 * MS,
        "cache_restored": 1006 * MS,
        "prefilled": 1106 * MS,
    }
    return PromptTimeline(**(defaults | marks))


def test_each_part_of_the_ttft_is_the_time_between_its_marks() -> None:
    parts = ttft_parts(timeline(), 1110 * MS)

    assert (parts.queue_ms, parts.load_ms, parts.tokenize_ms) == (2.0, 0.0, 3.0)
    assert (parts.cache_restore_ms, parts.prefill_ms, parts.first_decode_ms) == (1.0, 100.0, 4.0)


def test_loading_counts_only_while_the_request_waited_for_it() -> None:
    parts = ttft_parts(timeline(load_started=500 * MS, load_ended=1001 * MS), 1110 * MS)

    assert (parts.queue_ms, parts.load_ms) == (1.0, 1.0)


@given(
    st.lists(st.integers(0, 10**12), min_size=6, max_size=6), st.tuples(st.integers(0, 10**12), st.integers(0, 10**12))
)
def test_the_parts_add_up_to_the_ttft(marks: list[int], loading: tuple[int, int]) -> None:
    submitted, started, tokenized, restored, prefilled, first = sorted(marks)
    load_started, load_ended = sorted(loading)
    parts = ttft_parts(
        PromptTimeline(
            submitted=submitted,
            load_started=load_started,
            load_ended=load_ended,
            started=started,
            tokenized=tokenized,
            cache_restored=restored,
            prefilled=prefilled,
        ),
        first,
    )
    values = [getattr(parts, name) for name in parts.__struct_fields__]

    assert min(values) >= 0
    assert sum(values) == pytest.approx((first - submitted) / MS)


def test_prefill_counts_evaluated_tokens_over_prefill_time() -> None:
    assert prefill_tokens_per_second(50, timeline()) == pytest.approx(500.0)
    assert prefill_tokens_per_second(0, timeline()) is None
    assert prefill_tokens_per_second(50, timeline(prefilled=1006 * MS)) is None


@pytest.mark.parametrize(
    ("times", "expected"),
    [([], None), ([5 * MS], None), ([0, 100 * MS], 10.0), ([0, 10 * MS, 100 * MS], 20.0), ([7, 7], None)],
)
def test_decode_counts_intervals_not_tokens(times: list[int], expected: float | None) -> None:
    assert decode_tokens_per_second(times) == expected


@given(st.integers(2, 200), st.integers(1, 50 * MS))
def test_a_steady_stream_shows_the_same_speed_live_as_on_average(tokens: int, interval: int) -> None:
    times = [interval * index for index in range(tokens)]
    average = decode_tokens_per_second(times)
    live = live_tokens_per_second(times, now=times[-1])

    assert live == pytest.approx(average)


def test_the_live_speed_has_no_first_value_and_falls_in_a_stall() -> None:
    times = [0, 10 * MS, 20 * MS, 30 * MS]

    assert live_tokens_per_second([0], now=1) is None
    assert live_tokens_per_second(times, now=30 * MS) == pytest.approx(100.0)
    assert live_tokens_per_second(times, now=330 * MS) == pytest.approx(3 / 0.320)
    assert live_tokens_per_second(times, now=5000 * MS) is None
