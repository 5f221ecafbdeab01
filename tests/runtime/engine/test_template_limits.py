"""The meter counts what it says, and the sizes of values are those of what they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.engine.template_limits import Limit, LimitError, Meter, TemplateLimits, Weight

LIMITS = TemplateLimits(seconds=2, memory_bytes=1_000, text_chars=10_000_000, items=1_000, depth=5)
VALUES = st.recursive(
    st.text(max_size=5) | st.integers(-9, 9) | st.none() | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


class Machine:
    """A clock and a memory that the test sets."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.resident_bytes = 0

    def meter(self, limits: TemplateLimits = LIMITS) -> Meter:
        """A meter of this machine."""
        return Meter(limits, lambda: self.resident_bytes, lambda: self.now_ns)


def items_and_chars(value: object) -> tuple[int, int]:
    """The definition of a weight, spelled out."""
    match value:
        case str():
            return 1, len(value)
        case int():
            return 1, value.bit_length() // 3
        case list():
            inner = [items_and_chars(member) for member in value]
        case dict():
            inner = [items_and_chars(member) for member in [*value, *value.values()]]
        case _:
            return 1, 0
    return 1 + sum(items for items, _ in inner), sum(chars for _, chars in inner)


@given(st.lists(VALUES, max_size=3))
def test_a_weight_counts_all_that_is_nested(value: list[object]) -> None:
    weight = Machine().meter(TemplateLimits(depth=50)).weigh(value)
    assert (weight.items, weight.chars) == items_and_chars(value)


@given(VALUES)
def test_a_value_written_out_is_not_much_longer_than_estimated(value: object) -> None:
    # A character may be written as ten ("\\U0010ffff").
    weight = Machine().meter(TemplateLimits(depth=50)).weigh(value)
    assert len(str(value)) <= weight.text_chars + 9 * weight.chars


def test_shared_parts_count_each_time_they_occur() -> None:
    shared: list[object] = ["ab"]
    assert Machine().meter().weigh([shared, shared, shared]) == Weight(7, 6, 3)


@pytest.mark.parametrize("value", [iter([1]), (number for number in [1])])
def test_what_can_be_read_once_only_has_no_weight(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be used as a value"):
        Machine().meter().weigh([value])


def doubled(times: int, value: list[object]) -> list[object]:
    return value if times == 0 else doubled(times - 1, [value, value])


@pytest.mark.parametrize(
    ("value", "limits", "limit"),
    [
        (["x" * 6] * 2, TemplateLimits(text_chars=10), Limit.TEXT),
        ([1] * 11, TemplateLimits(items=10), Limit.ITEMS),
        (range(11), TemplateLimits(items=10), Limit.ITEMS),
        (dict.fromkeys(range(11)), TemplateLimits(items=10), Limit.ITEMS),
        (dict.fromkeys(range(11)).keys(), TemplateLimits(items=10), Limit.ITEMS),
        ([[[1]]], TemplateLimits(depth=3), Limit.DEPTH),
        (doubled(80, [1]), TemplateLimits(), Limit.ITEMS),
    ],
)
def test_a_value_too_large_is_stopped(value: object, limits: TemplateLimits, limit: Limit) -> None:
    with pytest.raises(LimitError) as caught:
        Machine().meter(limits).weigh(value)
    assert caught.value.limit is limit


def test_time_is_up_at_its_end_and_not_before() -> None:
    machine = Machine()
    meter = machine.meter()
    machine.now_ns = 2_000_000_000
    meter.tick()
    machine.now_ns += 10_000_001
    with pytest.raises(LimitError) as caught:
        meter.tick()
    assert caught.value.limit is Limit.TIME


def test_memory_counts_from_the_start() -> None:
    machine = Machine()
    machine.resident_bytes = 5_000
    meter = machine.meter()
    machine.now_ns = 20_000_000
    machine.resident_bytes = 6_000
    meter.tick()
    machine.now_ns = 40_000_000
    machine.resident_bytes = 6_001
    with pytest.raises(LimitError) as caught:
        meter.tick()
    assert caught.value.limit is Limit.MEMORY
    meter.start()
    assert meter.exceeded() is None


def test_much_new_text_is_reason_for_a_look() -> None:
    machine = Machine()
    meter = machine.meter()
    machine.resident_bytes = 2_000
    meter.made("x" * 3_000_000)
    with pytest.raises(LimitError):
        meter.made("x" * 3_000_000)


def test_slack_puts_the_limits_further_out() -> None:
    machine = Machine()
    meter = machine.meter()
    machine.resident_bytes = 1_200
    assert meter.exceeded(0.25) is None
    assert meter.exceeded(0.1) is Limit.MEMORY
