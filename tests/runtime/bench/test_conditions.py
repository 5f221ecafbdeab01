"""Conditions: what other programs, swap, heat and power did to a measurement. The other program is a real one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import msgspec
import psutil
import pytest

from runtime.bench.conditions import (
    Conditions,
    DisturbanceKind,
    PowerSource,
    Readings,
    SystemProbe,
    conditions_between,
    conditions_together,
    disturbances_of,
)
from runtime.bench.thermal import ThermalPressure

QUIET = Readings(
    at_s=10.0,
    system_busy_s=100.0,
    own_busy_s=20.0,
    swap_used_bytes=0,
    swapped_out_bytes=0,
    thermal=ThermalPressure.NOMINAL,
    throttle_events=3,
    temperature_c=50.0,
    power=PowerSource.MAINS,
)
LATER = msgspec.structs.replace(QUIET, at_s=12.0, system_busy_s=104.0, own_busy_s=24.0)


def kinds(after: Readings, cores: int = 8) -> list[DisturbanceKind]:
    return [one.kind for one in disturbances_of(conditions_between(QUIET, after), cores)]


def test_what_only_we_did_disturbs_nothing() -> None:
    assert kinds(LATER) == []
    assert conditions_between(QUIET, LATER).other_load_cores == 0


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"own_busy_s": 22.9}, DisturbanceKind.LOAD),
        ({"swapped_out_bytes": 17_000_000}, DisturbanceKind.SWAP),
        ({"swap_used_bytes": 17_000_000}, DisturbanceKind.SWAP),
        ({"thermal": ThermalPressure.MODERATE}, DisturbanceKind.THERMAL),
        ({"thermal": ThermalPressure.CRITICAL}, DisturbanceKind.THERMAL),
        ({"throttle_events": 4}, DisturbanceKind.THERMAL),
        ({"power": PowerSource.BATTERY}, DisturbanceKind.POWER),
    ],
)
def test_each_disturbance_is_told_by_its_kind(change: dict[str, object], kind: DisturbanceKind) -> None:
    assert kinds(msgspec.structs.replace(LATER, **change)) == [kind]


@pytest.mark.parametrize(
    "change",
    [
        {"own_busy_s": 23.9},
        {"swap_used_bytes": 1_000_000},
        {"thermal": ThermalPressure.UNKNOWN, "throttle_events": None, "temperature_c": None},
        {"temperature_c": 70.0},
    ],
)
def test_little_disturbs_nothing(change: dict[str, object]) -> None:
    assert kinds(msgspec.structs.replace(LATER, **change)) == []


def test_much_of_one_core_is_little_of_many() -> None:
    busy = msgspec.structs.replace(LATER, own_busy_s=22.5)

    assert kinds(busy, cores=2) == [DisturbanceKind.LOAD]
    assert kinds(busy, cores=64) == []


def test_a_look_of_no_length_says_nothing_of_load() -> None:
    after = msgspec.structs.replace(LATER, at_s=10.05)

    assert conditions_between(QUIET, after).other_load_cores is None
    assert kinds(after) == []


def test_repetitions_together_keep_the_worst_of_each() -> None:
    loud = msgspec.structs.replace(LATER, own_busy_s=20.0, thermal=ThermalPressure.HEAVY, temperature_c=90.0)
    swapped = msgspec.structs.replace(LATER, swap_used_bytes=50_000_000)
    together = conditions_together([conditions_between(QUIET, after) for after in (LATER, loud, swapped)])

    assert together is not None
    assert together.worst_other_load_cores == 2.0
    assert together.other_load_cores == pytest.approx(2 / 3)
    assert (together.thermal, together.temperature_c) == (ThermalPressure.HEAVY, 90.0)
    assert (together.swap_used_before_bytes, together.swap_used_after_bytes) == (0, 50_000_000)
    assert together.span_s == 6.0
    assert {one.kind for one in disturbances_of(together, 8)} == {"load", "swap", "thermal"}


def test_short_repetitions_tell_of_load_together() -> None:
    short = conditions_between(QUIET, msgspec.structs.replace(QUIET, at_s=10.1, system_busy_s=100.1))
    together = conditions_together([short] * 3)

    assert short.other_load_cores is None
    assert together is not None
    assert together.worst_other_load_cores == pytest.approx(1.0)
    assert [one.kind for one in disturbances_of(together, 8)] == [DisturbanceKind.LOAD]


def test_no_repetitions_have_no_conditions() -> None:
    assert conditions_together([]) is None


def test_a_change_of_power_between_repetitions_counts_as_one() -> None:
    on_battery = conditions_between(
        *[msgspec.structs.replace(one, power=PowerSource.BATTERY) for one in (QUIET, LATER)]
    )
    together = conditions_together([conditions_between(QUIET, LATER), on_battery])

    assert together is not None
    assert together.power_changed


def measured(probe: SystemProbe, span_s: float) -> Conditions:
    """Look twice, burning processor time of our own in between."""
    before = probe.read()
    end = time.perf_counter() + span_s
    while time.perf_counter() < end:
        pass
    return conditions_between(before, probe.read())


@pytest.fixture
def busy_child() -> Iterator[psutil.Process]:
    """A process that takes all of a core it can get."""
    program = "print(1, flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield psutil.Process(child.pid)
        child.kill()


def test_another_program_is_seen_until_it_counts_as_ours(busy_child: psutil.Process) -> None:
    probe = SystemProbe()
    strangers = SystemProbe(lambda: [psutil.Process()])  # a child of ours stands for another program
    span_s = 0.6
    before = busy_child.cpu_times()
    ours_before, strange_before = probe.read(), strangers.read()
    end = time.perf_counter() + span_s
    while time.perf_counter() < end:
        pass
    ours, strange = probe.read(), strangers.read()
    after = busy_child.cpu_times()

    child_cores = (after.user + after.system - before.user - before.system) / (ours.at_s - ours_before.at_s)
    as_other = conditions_between(strange_before, strange).other_load_cores
    as_own = conditions_between(ours_before, ours).other_load_cores
    assert as_other is not None
    assert as_own is not None
    assert child_cores > 0.1
    assert as_other - as_own == pytest.approx(child_cores, abs=0.25)


def test_our_own_work_is_not_other_load_and_a_look_is_whole() -> None:
    probe = SystemProbe()
    before = psutil.Process().cpu_times()
    conditions = measured(probe, 0.4)
    own = psutil.Process().cpu_times()

    assert own.user > before.user
    assert conditions.span_s >= 0.4
    assert conditions.other_load_cores is not None
    assert conditions.power in PowerSource
