"""The choice of the next token: what may be drawn, how often, and that nothing else is disturbed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import mlx.core as mx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.engine.mlx_sampling import ChosenToken, TokenChooser
from runtime.values.sampling import GREEDY, SamplingParams

LOGITS = (2.0, 1.5, 0.0, -1.0, 1.0, -3.0)
FOUR_TO_ONE = tuple(float(value) for value in np.log([0.4, 0.3, 0.2, 0.1]))
Vector = npt.NDArray[np.float64]


def as_logprobs(logits: Sequence[float]) -> mx.array:
    array = mx.array([list(logits)], dtype=mx.float32)
    return array - mx.logsumexp(array, axis=-1, keepdims=True)


def drawn(chooser: TokenChooser, logprobs: mx.array) -> int:
    return int(np.array(chooser.draw(logprobs))[0])


def draws(params: SamplingParams, count: int, logits: Sequence[float] = LOGITS) -> list[int]:
    chooser = TokenChooser(params, (0,), 0)
    logprobs = as_logprobs(logits)
    return [drawn(chooser, logprobs) for _ in range(count)]


def softmax(logits: Sequence[float], temperature: float = 1.0) -> Vector:
    scaled = np.array(logits) / temperature
    weights = np.exp(scaled - scaled.max())
    return np.asarray(weights / weights.sum())


@pytest.mark.parametrize(
    "params",
    [
        GREEDY,
        SamplingParams(temperature=5.0, top_k=1, seed=3),
        SamplingParams(temperature=5.0, top_p=1e-6, seed=3),
        SamplingParams(temperature=5.0, min_p=0.999, seed=3),
        SamplingParams(temperature=1e-9, seed=3),
        SamplingParams(temperature=1e-300, top_p=0.9, seed=3),
    ],
)
def test_takes_the_most_probable_token_when_nothing_else_is_left(params: SamplingParams) -> None:
    assert set(draws(params, 20)) == {0}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_each_token_as_often_as_its_probability_says(temperature: float) -> None:
    count = 3000
    found = Counter(draws(SamplingParams(temperature=temperature, seed=11), count))
    for token, probability in enumerate(softmax(LOGITS, temperature)):
        # Four standard deviations of the binomial distribution; the seed makes it the same every time.
        assert abs(found[token] - count * probability) <= 4 * (count * probability * (1 - probability)) ** 0.5 + 1


def test_repeats_itself_with_a_seed_and_only_with_the_same_one() -> None:
    first = draws(SamplingParams(temperature=1.0, seed=7), 40)
    assert first == draws(SamplingParams(temperature=1.0, seed=7), 40)
    assert first != draws(SamplingParams(temperature=1.0, seed=8), 40)


def test_draws_afresh_without_a_seed() -> None:
    assert draws(SamplingParams(temperature=1.0), 40) != draws(SamplingParams(temperature=1.0), 40)


def test_leaves_the_random_state_that_all_share_alone() -> None:
    mx.random.seed(1)
    expected = mx.random.uniform(shape=(4,)).tolist()
    mx.random.seed(1)
    draws(SamplingParams(temperature=1.0, top_p=0.9, top_k=3, seed=5), 10)
    assert mx.random.uniform(shape=(4,)).tolist() == expected


def test_does_not_depend_on_the_random_state_that_all_share() -> None:
    first = draws(SamplingParams(temperature=1.0, seed=5), 20)
    mx.random.seed(99)
    assert draws(SamplingParams(temperature=1.0, seed=5), 20) == first


def test_takes_a_top_k_as_large_as_the_vocabulary_for_off() -> None:
    off = draws(SamplingParams(temperature=1.0, seed=5), 30)
    assert draws(SamplingParams(temperature=1.0, seed=5, top_k=len(LOGITS)), 30) == off
    assert draws(SamplingParams(temperature=1.0, seed=5, top_k=1_000_000), 30) == off


def test_applies_top_k_before_top_p() -> None:
    # Of the two best, the better has 0.4 / 0.7 = 0.57, which reaches 0.5. Of all four it has 0.4, which does not.
    assert set(draws(SamplingParams(temperature=1.0, top_k=2, top_p=0.5, seed=1), 60, FOUR_TO_ONE)) == {0}
    assert set(draws(SamplingParams(temperature=1.0, top_p=0.5, seed=1), 60, FOUR_TO_ONE)) == {0, 1}


def test_filters_before_it_applies_the_temperature() -> None:
    # At temperature 5 the best would have less than 0.35 of the probability, and two more would stay.
    assert set(draws(SamplingParams(temperature=5.0, top_p=0.35, seed=1), 60, FOUR_TO_ONE)) == {0}


def allowed(logits: Vector, params: SamplingParams) -> set[int]:
    """Return the tokens that may be drawn, by the definitions."""
    order = np.argsort(-logits, kind="stable")
    kept = order[: params.top_k or len(order)]
    probabilities = softmax(logits[kept].tolist())
    before = np.cumsum(probabilities) - probabilities
    slack = 1e-4  # A token exactly at a limit may fall on either side.
    in_top_p = (before < params.top_p + slack) | (params.top_p >= 1)
    in_min_p = probabilities >= params.min_p * probabilities[0] * (1 - slack)
    return {int(token) for token in kept[in_top_p & in_min_p]} | {int(order[0])}


@given(
    # Distinct by more than rounding: among equals, which ones make up the best few is nobody's business.
    logits=st.lists(st.integers(-200, 200), min_size=1, max_size=30, unique=True),
    top_k=st.integers(0, 35),
    top_p=st.floats(0.01, 1.0),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 0.99]),
    seed=st.integers(0, 2**32 - 1),
)
def test_never_draws_a_token_that_a_filter_removed(
    logits: list[int], top_k: int, top_p: float, min_p: float, seed: int
) -> None:
    values = np.array(logits) / 20
    params = SamplingParams(temperature=1.5, top_k=top_k, top_p=top_p, min_p=min_p, seed=seed)
    assert set(draws(params, 3, values.tolist())) <= allowed(values, params)


def penalized(logits: Sequence[float], recent: Sequence[int], params: SamplingParams) -> list[float]:
    """Return what llama.cpp's penalties make of `logits`."""
    result = list(logits)
    for token in set(recent):
        factor = params.repetition_penalty if logits[token] <= 0 else 1 / params.repetition_penalty
        frequency = recent.count(token) * params.frequency_penalty
        result[token] = logits[token] * factor - frequency - params.presence_penalty
    return result


@given(
    prompt=st.lists(st.integers(0, 5), min_size=1, max_size=12),
    generated=st.lists(st.integers(0, 5), max_size=12),
    window=st.integers(1, 30),
    repetition=st.sampled_from([1.0, 1.3, 0.5]),
    presence=st.sampled_from([0.0, 0.7, -0.4]),
    frequency=st.sampled_from([0.0, 0.3, -0.2]),
)
def test_penalizes_what_is_in_the_window_over_prompt_and_reply(
    prompt: list[int], generated: list[int], window: int, repetition: float, presence: float, frequency: float
) -> None:
    params = SamplingParams(
        repetition_penalty=repetition,
        presence_penalty=presence,
        frequency_penalty=frequency,
        penalty_window_tokens=window,
    )
    chooser = TokenChooser(params, prompt, 0)
    for last in [prompt[-1], *generated]:
        logits = chooser.adjusted(mx.array([list(LOGITS)]), mx.array([last], dtype=mx.uint32))
    expected = penalized(LOGITS, [*prompt, *generated][-window:], params)
    assert np.array(logits)[0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("params", "top_logprobs", "expected"),
    [
        (GREEDY, 0, True),
        (SamplingParams(temperature=1.0, top_k=1), 0, True),
        (GREEDY, 1, False),
        (SamplingParams(temperature=0.0, presence_penalty=0.5), 0, False),
        (SamplingParams(temperature=1.0), 0, False),
    ],
)
def test_says_when_it_takes_the_most_probable_token_and_nothing_else_is_asked_for(
    params: SamplingParams, top_logprobs: int, *, expected: bool
) -> None:
    assert TokenChooser(params, (0,), top_logprobs).takes_the_best is expected


def test_takes_the_most_probable_token_only_after_the_one_it_was_told_to_take() -> None:
    chooser = TokenChooser(GREEDY, (0,), 0, forced_token_id=3)
    assert not chooser.takes_the_best
    assert drawn(chooser, as_logprobs(LOGITS)) == 3
    assert chooser.takes_the_best
    assert drawn(chooser, as_logprobs(LOGITS)) == 0


def chosen(params: SamplingParams, top: int) -> tuple[int, ChosenToken]:
    chooser = TokenChooser(params, (0, 1), top)
    token = int(np.array(chooser.choose(mx.array([list(LOGITS)]), mx.array([1], dtype=mx.uint32)))[0])
    choice = chooser.take_choice()
    assert choice is not None
    return token, choice


def test_reports_the_probabilities_of_the_model_whatever_the_sampler_does_to_them() -> None:
    expected = np.log(softmax(LOGITS))
    # Both of the best are in the prompt: a tenth of their logits is less than the 1.0 of the third.
    token, choice = chosen(SamplingParams(temperature=0.0, repetition_penalty=10.0), 3)
    assert token == 4
    assert choice.logprob == pytest.approx(expected[4], abs=1e-5)
    assert choice.top_ids == (0, 1, 4)
    assert choice.top_logprobs == pytest.approx(expected[[0, 1, 4]], abs=1e-5)


def test_reports_no_more_alternatives_than_there_are_tokens() -> None:
    _, choice = chosen(GREEDY, 20)
    assert choice.top_ids == (0, 1, 4, 2, 3, 5)


def test_reports_nothing_unless_asked() -> None:
    chooser = TokenChooser(GREEDY, (0,), 0)
    chooser.draw(as_logprobs(LOGITS))
    assert chooser.take_choice() is None


@pytest.mark.parametrize("params", [GREEDY, SamplingParams(temperature=1.0, top_p=0.5, seed=1)])
def test_tells_numbers_from_nan_in_the_first_distribution(params: SamplingParams) -> None:
    healthy, sick = TokenChooser(params, (0,), 0), TokenChooser(params, (0,), 0)
    healthy.draw(mx.array([[-1.0, -mx.inf, -0.5]]))
    sick.draw(mx.array([[-1.0, mx.nan, -0.5]]))
    assert healthy.first_is_number()
    assert not sick.first_is_number()
