"""Absurd sampler values are refused by name; sensible ones pass."""

from __future__ import annotations

import msgspec
import pytest

from runtime.values.errors import InvalidRequestError
from runtime.values.sampling import GREEDY, SamplingParams, checked

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1), ("temperature", NAN), ("temperature", INFINITY), ("temperature", 6.0),
        ("top_p", 0.0), ("top_p", 1.1), ("top_p", NAN), ("top_k", -1), ("min_p", 1.0), ("min_p", -0.1),
        ("repetition_penalty", 0.0), ("repetition_penalty", INFINITY), ("presence_penalty", 2.5),
        ("frequency_penalty", NAN), ("penalty_window_tokens", 0), ("seed", -1), ("seed", 2**32),
    ],
)  # fmt: skip
def test_an_absurd_value_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(InvalidRequestError, match=name):
        checked(msgspec.structs.replace(SamplingParams(), **{name: value}))


@pytest.mark.parametrize(
    "params", [SamplingParams(), GREEDY, SamplingParams(temperature=5, top_p=0.01, seed=2**32 - 1)]
)
def test_sensible_values_pass(params: SamplingParams) -> None:
    assert checked(params) is params
