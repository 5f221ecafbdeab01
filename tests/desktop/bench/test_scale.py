"""Axes show all their values, and write round numbers beside them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop.bench.scale import Scale, scale_for

VALUES = st.lists(st.floats(min_value=1e-3, max_value=1e15), min_size=1, max_size=8)


@given(VALUES, st.booleans(), st.booleans())
def test_every_value_lies_on_its_axis(values: list[float], is_log: bool, from_zero: bool) -> None:
    scale = scale_for(values, is_log=is_log, from_zero=from_zero)
    assert scale.low < scale.high
    places = [scale.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)


@given(VALUES, st.booleans(), st.integers(min_value=2, max_value=12))
def test_ticks_lie_on_the_axis_and_are_not_too_many(values: list[float], is_log: bool, most: int) -> None:
    scale = scale_for(values, is_log=is_log, from_zero=True)
    ticks = scale.ticks(most)
    assert len(ticks) <= most + 2
    assert all(-1e-6 <= scale.place(tick) <= 1 + 1e-6 for tick in ticks)


def test_ticks_are_round() -> None:
    assert Scale(0.0, 87.0).ticks(5) == [0, 20, 40, 60, 80]
    assert Scale(0.5, 3000.0, is_log=True).ticks(6) == [1, 10, 100, 1000]


def test_a_single_value_has_room_around_it() -> None:
    scale = scale_for([7.5], is_log=False, from_zero=False)
    assert scale.low < 7.5 < scale.high


def test_without_values_there_is_an_axis_all_the_same() -> None:
    for is_log in (True, False):
        scale = scale_for([math.nan], is_log=is_log, from_zero=True)
        assert scale.low < scale.high


def test_the_ends_of_an_axis_are_its_ends() -> None:
    for scale in (Scale(1.0, 100.0, is_log=True), Scale(1.0, 100.0)):
        assert scale.place(1.0) == pytest.approx(0.0)
        assert scale.place(100.0) == pytest.approx(1.0)
    assert Scale(1.0, 100.0, is_log=True).place(10.0) == pytest.approx(0.5)
