"""Plans: what a grid and a preset consist of, what is refused, and in which order repetitions come."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.bench.plan import (
    PRESETS,
    BenchPlan,
    PresetName,
    Step,
    WorkloadGrid,
    checked_plan,
    context_error,
    fits_context,
    interleaved,
    parse_depth,
    workloads_of,
)
from runtime.bench.workload import CacheState, ChatReply, Decode, Prefill, Serving, context_need_tokens, name_of
from runtime.client.base import ModelToLoad
from runtime.values.errors import InvalidRequestError
from runtime.values.model import EngineName, LoadOptions

MODEL = ModelToLoad(engine=EngineName.SCRIPTED, path="a.json", options=LoadOptions(model_name="a"))
PLAN = BenchPlan(models=(MODEL,), workloads=(Prefill(8), Decode(4)))


def names(grid: WorkloadGrid, context_tokens: int | None = None) -> list[str]:
    return [name_of(workload) for workload in workloads_of(grid, context_tokens)]


def test_a_grid_is_every_length_at_every_depth_shallow_first() -> None:
    grid = WorkloadGrid(prompt_tokens=(512, 128), generate_tokens=(64,), depths=(4096, 0))

    assert names(grid) == ["pp512", "pp128", "tg64", "pp512@d4096", "pp128@d4096", "tg64@d4096"]


def test_chats_and_servings_take_the_first_lengths() -> None:
    grid = WorkloadGrid(
        prompt_tokens=(64, 32),
        generate_tokens=(16, 8),
        depths=(),
        chats=(CacheState.WARM, CacheState.CACHED),
        concurrency=(4, 1),
    )

    assert names(grid) == ["chat16@warm", "chat16@cached", "pp64+tg16@c1", "pp64+tg16@c4"]


def test_nothing_is_in_a_grid_twice() -> None:
    grid = WorkloadGrid(prompt_tokens=(8, 8), generate_tokens=(), depths=(0, 0))

    assert names(grid) == ["pp8"]


@given(st.integers(700, 100_000))
def test_the_deepest_depth_fills_the_context_to_the_last_token(context_tokens: int) -> None:
    for workload in workloads_of(WorkloadGrid(depths=(None,)), context_tokens):
        assert context_need_tokens(workload) == context_tokens
        assert fits_context(workload, context_tokens)


def test_the_deepest_depth_of_an_unknown_context_is_unknown() -> None:
    with pytest.raises(InvalidRequestError, match="max"):
        workloads_of(WorkloadGrid(depths=(None,)), None)


@pytest.mark.parametrize(
    ("text", "depth"), [("0", 0), (" 4096", 4096), ("4k", 4096), ("16K", 16384), ("max", None), ("MAX", None)]
)
def test_depths_are_written_as_people_write_them(text: str, depth: int | None) -> None:
    assert parse_depth(text) == depth


@pytest.mark.parametrize("text", ["", "k", "-1", "1.5k", "deep", "4m", "9" * 30, "٤"])
def test_what_is_no_depth_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="no depth"):
        parse_depth(text)


@pytest.mark.parametrize("name", PresetName)
def test_presets_are_plans_of_their_own(name: PresetName) -> None:
    preset = PRESETS[name]
    workloads = workloads_of(preset.grid, 32_768)

    checked_plan(msgspec.structs.replace(PLAN, workloads=workloads, repetitions=preset.repetitions))
    assert {Prefill(512), Decode(128)} <= set(workloads)


def test_each_preset_asks_for_all_of_the_one_before() -> None:
    quick, standard, thorough = (set(workloads_of(PRESETS[name].grid, 32_768)) for name in PresetName)

    assert quick < standard < thorough
    assert {one.concurrency for one in thorough if isinstance(one, Serving)} == {1, 2, 4, 8}
    assert PRESETS[PresetName.QUICK].budget_s is not None


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"repetitions": 0}, "repeated 0 times"),
        ({"repetitions": -3}, "repeated -3 times"),
        ({"repetitions": 1001}, "repeated 1001 times"),
        ({"models": ()}, "No model"),
        ({"workloads": ()}, "0 tests"),
        ({"workloads": (Prefill(0),)}, "prompt_tokens is 0"),
        ({"workloads": (Decode(5, -1),)}, "depth_tokens is -1"),
        ({"workloads": (Serving(1, 1, 0),)}, "concurrency is 0"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_plan_that_cannot_run_is_refused_in_clear_words(change: dict[str, object], word: str) -> None:
    with pytest.raises(InvalidRequestError, match=word) as refused:
        checked_plan(msgspec.structs.replace(PLAN, **change))
    assert refused.value.next_step


def test_what_is_asked_for_twice_is_done_once() -> None:
    twice = msgspec.structs.replace(PLAN, models=(MODEL, MODEL), workloads=(Prefill(8), Prefill(8, 0)))

    assert checked_plan(twice) == msgspec.structs.replace(PLAN, workloads=(Prefill(8),))


def test_a_depth_beyond_the_context_is_refused_with_both_numbers() -> None:
    workload = Prefill(512, 4096)

    assert fits_context(workload, 4609)
    assert fits_context(workload, None)
    assert not fits_context(workload, 4608)
    error = context_error(workload, "tiny", 2048)
    assert "pp512@d4096" in error.what
    assert "4,609" in error.what
    assert "2,048" in error.what


def test_variants_take_turns_at_each_workload_when_all_are_in_memory() -> None:
    one, other = Prefill(8), Decode(4)
    steps = list(interleaved((one, other), 2, 2, together=True))

    first_round = [Step(0, one, 0), Step(1, one, 0), Step(0, other, 0), Step(1, other, 0)]
    assert steps == first_round + [msgspec.structs.replace(step, repetition=1) for step in first_round]


def test_variants_take_turns_round_by_round_when_one_has_to_leave_for_the_other() -> None:
    steps = list(interleaved((Prefill(8), Decode(4)), 2, 2, together=False))

    assert [step.variant for step in steps] == [0, 0, 1, 1, 0, 0, 1, 1]


@given(st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_every_repetition_of_every_workload_comes_once_and_no_variant_is_a_round_ahead(
    variants: int, repetitions: int, together: bool
) -> None:
    workloads = (Prefill(8), Decode(4), ChatReply(4, CacheState.WARM))
    steps = list(interleaved(workloads, variants, repetitions, together=together))

    assert len(set(steps)) == len(steps) == variants * repetitions * len(workloads)
    assert [step.repetition for step in steps] == sorted(step.repetition for step in steps)
