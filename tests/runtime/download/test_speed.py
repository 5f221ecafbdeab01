"""Speed and time left over the last seconds, and when to try again: pure arithmetic, on a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.download.retry import RetryPolicy
from runtime.download.speed import STALL_S, WINDOW_S, SpeedMeter
from runtime.values.errors import DownloadError, HubAccessError, HubBusyError, HubUnreachableError, UserFacingError


def fed(meter: SpeedMeter, until_s: float, bytes_per_second: float, since_s: float = 0.0) -> None:
    """Feed a meter evenly, a hundred times a second."""
    for tick in range(round(since_s * 100), round(until_s * 100)):
        meter.add((tick + 1) / 100, round(bytes_per_second / 100))


def test_an_even_flow_has_its_speed() -> None:
    meter = SpeedMeter(0.0)
    fed(meter, 10.0, 1_000_000)

    assert meter.bytes_per_second(10.0) == pytest.approx(1_000_000, rel=0.05)
    assert meter.seconds_left(10.0, 5_000_000) == pytest.approx(5.0, rel=0.05)
    assert not meter.is_stalled(10.0)


def test_the_beginning_says_nothing_rather_than_something_wild() -> None:
    meter = SpeedMeter(100.0)
    meter.add(100.001, 10_000_000)

    assert meter.bytes_per_second(100.002) is None
    assert meter.seconds_left(100.002, 1) is None
    assert meter.bytes_per_second(101.0) == pytest.approx(10_000_000)


def test_a_stall_shows_within_five_seconds() -> None:
    meter = SpeedMeter(0.0)
    fed(meter, 20.0, 50_000_000)

    assert meter.is_stalled(20.0 + STALL_S)
    assert meter.bytes_per_second(20.0 + WINDOW_S + 0.2) == 0.0
    assert meter.seconds_left(20.0 + WINDOW_S + 0.2, 100) is None
    assert max(STALL_S, WINDOW_S + 0.2) < 5.0


def test_a_connection_that_brings_nothing_is_stalled_too() -> None:
    assert SpeedMeter(0.0).is_stalled(STALL_S)
    assert not SpeedMeter(0.0).is_stalled(STALL_S - 0.1)


def test_old_speed_is_forgotten() -> None:
    meter = SpeedMeter(0.0)
    fed(meter, 10.0, 100_000_000)
    fed(meter, 15.0, 1_000_000, since_s=10.0)

    assert meter.bytes_per_second(15.0) == pytest.approx(1_000_000, rel=0.1)


@given(st.lists(st.tuples(st.floats(0.0, 3.0), st.integers(0, 10**9)), max_size=60))
def test_no_more_bytes_than_came_are_counted(steps: list[tuple[float, int]]) -> None:
    meter = SpeedMeter(0.0)
    now_s = 0.0
    for step_s, count in steps:
        now_s += step_s
        meter.add(now_s, count)
        speed = meter.bytes_per_second(now_s)
        if speed is not None:
            assert 0 <= speed * min(WINDOW_S, now_s) <= sum(each for _, each in steps) * 1.001


EVEN = RetryPolicy(first_wait_s=1.0, longest_wait_s=60.0, most_failures=10, jitter=0.0)
LOST = HubUnreachableError("", "")


def test_waits_double_up_to_the_longest() -> None:
    assert [EVEN.wait_s(failures, LOST) for failures in range(1, 10)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_patience_ends() -> None:
    assert EVEN.wait_s(10, LOST) is None


def test_the_server_may_ask_for_more_but_not_for_less() -> None:
    assert EVEN.wait_s(1, HubBusyError("", "", retry_after_s=90.0)) == 90.0
    assert EVEN.wait_s(4, HubBusyError("", "", retry_after_s=0.0)) == 8.0
    assert EVEN.wait_s(4, HubBusyError("", "")) == 8.0


@pytest.mark.parametrize("error", [HubAccessError("", ""), DownloadError("", "")])
def test_what_will_not_pass_is_not_waited_for(error: UserFacingError) -> None:
    assert EVEN.wait_s(1, error) is None


@given(st.integers(1, 9), st.floats(0.0, 1.0))
def test_chance_only_shortens_a_wait(failures: int, jitter: float) -> None:
    by_chance = RetryPolicy(first_wait_s=1.0, longest_wait_s=60.0, most_failures=10, jitter=jitter)
    even, other = EVEN.wait_s(failures, LOST), by_chance.wait_s(failures, LOST)

    assert even is not None
    assert other is not None
    assert even * (1 - jitter) <= other <= even
