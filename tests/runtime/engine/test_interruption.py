"""Work that goes on too long is interrupted, and nothing arrives once it is over."""

from __future__ import annotations

import threading
from functools import partial
from time import perf_counter

import pytest

from runtime.engine.interruption import Interrupted, Interruptible

pytestmark = pytest.mark.timeout(60)


def spin(seconds: float) -> str:
    end = perf_counter() + seconds
    while perf_counter() < end:
        sum(range(10))
    return "done"


def spin_for_ever() -> None:
    while True:
        sum(range(100))


def test_work_within_its_bounds_returns_its_result() -> None:
    assert Interruptible(lambda: False).run(lambda: 42) == 42


def test_an_error_of_the_work_passes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        Interruptible(lambda: False).run(lambda: 1 / 0)


def test_endless_work_is_interrupted() -> None:
    with pytest.raises(Interrupted):
        Interruptible(lambda: True, poll_seconds=0.001).run(spin_for_ever)


def test_work_that_swallows_exceptions_is_interrupted_all_the_same() -> None:
    def stubborn() -> None:
        try:
            spin_for_ever()
        except BaseException:  # noqa: BLE001 (what is tested: the first interruption is lost)
            spin_for_ever()

    with pytest.raises(Interrupted):
        Interruptible(lambda: True, poll_seconds=0.001).run(stubborn)


def test_no_interruption_arrives_after_the_work_and_no_thread_stays() -> None:
    threads = threading.active_count()
    outcomes = set()
    for attempt in range(200):
        end = perf_counter() + 0.002

        def overdue(end: float = end) -> bool:
            return perf_counter() > end

        work = Interruptible(overdue, poll_seconds=0.0005)
        try:
            # Ends before, at, or after the moment of the interruption, which can wait for two turns of the interpreter
            # lock (5 ms each).
            outcomes.add(work.run(partial(spin, 0.001 + attempt / 15_000)))
        except Interrupted:
            outcomes.add("interrupted")
        assert spin(0.0005) == "done"  # an exception still under way would end the test here
    assert outcomes == {"done", "interrupted"}
    assert threading.active_count() == threads


def test_an_interruption_that_comes_as_the_work_ends_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = threading.active_count()
    retire = Interruptible._retire  # noqa: SLF001 (the place where it must not hurt)
    calls: list[int] = []

    def interrupted_at_first(work: Interruptible, watcher: threading.Thread, thread_id: int) -> None:
        calls.append(thread_id)
        if len(calls) == 1:
            raise Interrupted
        retire(work, watcher, thread_id)

    monkeypatch.setattr(Interruptible, "_retire", interrupted_at_first)
    with pytest.raises(Interrupted):
        Interruptible(lambda: False).run(lambda: None)
    assert threading.active_count() == threads
