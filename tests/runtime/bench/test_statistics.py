"""Figures of a few samples: intervals cover, constant samples have no spread, one sample has no interval."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.bench.statistics import Interval, percentile, relative_change, student_t, summarize

values = st.floats(0.01, 1e6)
samples = st.lists(values, min_size=2, max_size=20)


@pytest.mark.parametrize(
    ("degrees", "confidence", "tabulated"),
    [
        # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, critical values of Student's t.
        (1, 0.95, 12.706),
        (2, 0.95, 4.303),
        (3, 0.95, 3.182),
        (4, 0.95, 2.776),
        (9, 0.95, 2.262),
        (10, 0.95, 2.228),
        (29, 0.95, 2.045),
        (100, 0.95, 1.984),
        (5, 0.99, 4.032),
        (8, 0.9, 1.860),
    ],
)
def test_t_is_that_of_the_tables(degrees: int, confidence: float, tabulated: float) -> None:
    assert student_t(degrees, confidence) == pytest.approx(tabulated, abs=5e-4)


def test_t_falls_towards_the_normal_distribution() -> None:
    quantiles = [student_t(degrees) for degrees in (1, 2, 3, 7, 20, 101, 1000, 10**9)]
    assert quantiles == sorted(quantiles, reverse=True)
    assert quantiles[-1] == pytest.approx(statistics.NormalDist().inv_cdf(0.975), rel=2e-3)


@pytest.mark.parametrize("degrees", [0, -1])
def test_t_without_degrees_of_freedom_is_a_mistake(degrees: int) -> None:
    with pytest.raises(ValueError, match=str(degrees)):
        student_t(degrees)


@pytest.mark.parametrize("count", [2, 3, 5, 10])
@pytest.mark.parametrize("spread", [0.01, 30.0])
def test_intervals_cover_the_true_mean_as_often_as_they_say(count: int, spread: float) -> None:
    draw, trials = random.Random(count), 3000
    covered = 0
    for _ in range(trials):
        summary = summarize([draw.gauss(100, spread) for _ in range(count)])
        assert summary is not None
        assert summary.interval is not None
        covered += summary.interval.holds(100)
    # Five standard deviations of a binomial count.
    assert abs(covered / trials - 0.95) < 5 * math.sqrt(0.95 * 0.05 / trials)


@given(values, st.integers(2, 12))
def test_constant_samples_have_no_spread(value: float, count: int) -> None:
    summary = summarize([value] * count)
    assert summary is not None
    assert (summary.mean, summary.stddev, summary.median) == (value, 0.0, value)
    assert summary.interval == Interval(value, value)


@given(values)
def test_one_sample_has_neither_spread_nor_interval(value: float) -> None:
    summary = summarize([value])
    assert summary is not None
    assert (summary.count, summary.mean, summary.median) == (1, value, value)
    assert (summary.stddev, summary.interval) == (None, None)


def test_no_samples_have_no_figures() -> None:
    assert summarize([]) is None
    assert percentile([], 0.5) is None


@given(samples, st.floats(0.1, 10))
def test_an_interval_is_around_the_mean_and_scales_with_the_unit(taken: list[float], factor: float) -> None:
    summary, scaled = summarize(taken), summarize([value * factor for value in taken])
    assert summary is not None
    assert scaled is not None
    assert summary.interval is not None
    assert scaled.interval is not None
    assert summary.interval.low <= summary.mean <= summary.interval.high
    tolerance = 1e-9 * max(taken) * factor
    assert scaled.interval.high == pytest.approx(summary.interval.high * factor, rel=1e-6, abs=tolerance)


@given(samples, st.floats(0, 1), st.floats(0, 1))
def test_percentiles_rise_and_stay_among_the_samples(taken: list[float], one: float, other: float) -> None:
    low, high = (percentile(taken, share) for share in sorted((one, other)))
    assert low is not None
    assert high is not None
    assert min(taken) <= low <= high * (1 + 1e-12) <= max(taken) * (1 + 1e-9)
    assert percentile(taken, 0.5) == pytest.approx(statistics.median(taken))


def test_a_percentile_lies_between_neighbours() -> None:
    assert percentile([10, 20, 30, 40], 0.95) == pytest.approx(38.5)


@given(samples, samples)
def test_a_change_there_and_back_cancels(before: list[float], after: list[float]) -> None:
    there, back = relative_change(before, after), relative_change(after, before)
    assert there is not None
    assert back is not None
    assert (1 + there.relative) * (1 + back.relative) == pytest.approx(1)


@given(samples)
def test_samples_have_not_changed_against_themselves(taken: list[float]) -> None:
    change = relative_change(taken, taken)
    assert change is not None
    assert change.interval is not None
    assert change.relative == pytest.approx(0, abs=1e-9)
    assert change.interval.low <= 1e-9
    assert change.interval.high >= -1e-9


def test_a_change_larger_than_the_spread_is_told_from_none() -> None:
    before, after = [100.0, 101, 99, 100.5, 99.5], [90.0, 91, 89, 90.5, 89.5]
    change = relative_change(before, after)
    assert change is not None
    assert change.interval is not None
    assert change.relative == pytest.approx(-0.1, abs=0.001)
    assert -0.12 < change.interval.low < -0.1 < change.interval.high < -0.08


def test_welchs_intervals_cover_the_true_change_as_often_as_they_say() -> None:
    draw, trials, covered = random.Random(7), 2000, 0
    for _ in range(trials):
        before = [math.exp(draw.gauss(3, 0.02)) for _ in range(5)]
        after = [math.exp(draw.gauss(3.1, 0.08)) for _ in range(7)]
        change = relative_change(before, after)
        assert change is not None
        assert change.interval is not None
        covered += change.interval.holds(math.expm1(0.1))
    # Welch's interval is approximate, and rounding the degrees of freedom down makes it a little wide.
    assert 0.935 < covered / trials < 0.98


@pytest.mark.parametrize(("before", "after"), [([], [1.0]), ([1.0], []), ([0.0, 1.0], [1.0, 2.0])])
def test_a_change_from_or_to_nothing_is_unknown(before: list[float], after: list[float]) -> None:
    assert relative_change(before, after) is None


def test_a_change_with_one_sample_has_no_interval() -> None:
    change = relative_change([100.0], [110.0, 111.0])
    assert change is not None
    assert change.interval is None
