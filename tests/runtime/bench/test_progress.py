"""Time left: from what each kind of repetition took, and from the weight of those not seen yet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.bench.plan import Step, interleaved
from runtime.bench.progress import Activity, Clock
from runtime.bench.workload import Decode, Prefill

LIGHT, HEAVY = Prefill(100), Decode(100)


def test_nothing_is_known_before_the_first_repetition() -> None:
    assert Clock(interleaved((LIGHT,), 1, 3, together=True)).remaining_s() is None


def test_what_was_seen_counts_and_the_rest_is_guessed_by_weight() -> None:
    clock = Clock(interleaved((LIGHT, HEAVY), 1, 2, together=True))
    clock.finish(Step(0, LIGHT, 0), 2.0)
    # Writing 100 tokens weighs ten times as much as reading 100: twice 20 s, and 2 s.
    assert clock.remaining_s() == pytest.approx(42.0)

    clock.finish(Step(0, HEAVY, 0), 5.0)
    assert clock.remaining_s() == pytest.approx(7.0)


def test_what_will_not_be_done_takes_no_time() -> None:
    clock = Clock(interleaved((LIGHT,), 1, 3, together=True))
    clock.finish(Step(0, LIGHT, 0), 2.0)
    clock.drop(Step(0, LIGHT, 1))

    assert clock.remaining_s() == pytest.approx(2.0)
    assert clock.progress(Activity.MEASURING, "a").done_steps == 2


def test_a_text_to_score_takes_time_as_writing_does_and_then_as_long_as_it_took() -> None:
    clock = Clock(interleaved((LIGHT,), 1, 2, together=True), tokens_to_score=20)
    clock.finish(Step(0, LIGHT, 0), 2.0)
    # A second prompt, and 20 tokens that weigh ten times as much as those of the prompt of 100.
    assert clock.remaining_s() == pytest.approx(2.0 + 4.0)
    clock.finish(Step(0, LIGHT, 1), 2.0)
    clock.note_scored(5, 10.0, left=15)
    assert clock.remaining_s() == pytest.approx(30.0)
    clock.note_scored(15, 30.0, left=0)
    assert clock.remaining_s() == 0


def test_scoring_alone_knows_the_time_left_from_its_first_token() -> None:
    clock = Clock((), tokens_to_score=20)
    assert clock.remaining_s() is None
    clock.note_scored(1, 0.5, left=19)
    assert clock.remaining_s() == pytest.approx(9.5)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=12))
def test_the_time_left_ends_at_nothing(seconds: list[float]) -> None:
    steps = list(interleaved((LIGHT, HEAVY), 2, 3, together=True))
    clock = Clock(steps, clock_s=lambda: 0.0)
    for index, step in enumerate(steps):
        clock.finish(step, seconds[index % len(seconds)])
        assert clock.done_steps == index + 1

    assert clock.remaining_s() == 0
