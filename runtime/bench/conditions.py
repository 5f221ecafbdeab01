"""Under which conditions a repetition was measured, and whether they disturbed it: other load, swap, heat, power.

Read right before and right after each repetition, never during one. Processor time is counted for the whole machine
and for this process with its workers; the rest is other programs'. A disturbed row is marked, not hidden.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from time import perf_counter
from typing import Protocol

import msgspec
import psutil

from runtime.bench.thermal import ThermalPressure, read_thermal
from runtime.values.wording import bytes_text

OTHER_LOAD_SHARE = 0.05
"""Of all cores: more than this by other programs disturbs."""
OTHER_LOAD_LEAST_CORES = 0.15
LOAD_SPAN_S = 0.2
"""The system counts processor time in steps of 10 ms: over less than this the count says little."""
SWAP_GROWTH_BYTES = 16_000_000
HOT = frozenset({ThermalPressure.MODERATE, ThermalPressure.HEAVY, ThermalPressure.CRITICAL})


class PowerSource(StrEnum):
    """What the machine runs on; one without a battery runs on mains."""

    MAINS = "mains"
    BATTERY = "battery"
    UNKNOWN = "unknown"


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the machine.

    Attributes:
        at_s: when, on a monotonic clock.
        system_busy_s: processor time that everything on the machine has taken since it started.
        own_busy_s: of that, this process and its workers.
        swap_used_bytes: what is swapped out now.
        swapped_out_bytes: what has been swapped out since the machine started.
        thermal: how far the system holds itself back.
        throttle_events: see `ThermalReading`.
        temperature_c: see `ThermalReading`.
        power: what it runs on.
    """

    at_s: float
    system_busy_s: float
    own_busy_s: float
    swap_used_bytes: int
    swapped_out_bytes: int
    thermal: ThermalPressure
    throttle_events: int | None
    temperature_c: float | None
    power: PowerSource


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What lay between two looks, or between the first and the last of several repetitions.

    Attributes:
        span_s: how long that was.
        other_busy_s: processor time that other programs took.
        other_load_cores: mean processor time of other programs a second, in cores; None over a very short time.
        worst_other_load_cores: the same in the worst repetition that was long enough to tell.
        swap_used_before_bytes: what was swapped out at the beginning.
        swap_used_after_bytes: what was swapped out at the end.
        swapped_out_bytes: what was swapped out meanwhile.
        thermal: the worst state seen.
        throttle_events: how often the processor throttled meanwhile; None where nobody counts.
        temperature_c: the highest seen.
        power: what the machine ran on at the end.
        power_changed: whether it was plugged in or unplugged.
    """

    span_s: float
    other_busy_s: float
    other_load_cores: float | None
    worst_other_load_cores: float | None
    swap_used_before_bytes: int
    swap_used_after_bytes: int
    swapped_out_bytes: int
    thermal: ThermalPressure
    throttle_events: int | None
    temperature_c: float | None
    power: PowerSource
    power_changed: bool


class DisturbanceKind(StrEnum):
    """What disturbed a measurement."""

    LOAD = "load"
    SWAP = "swap"
    THERMAL = "thermal"
    POWER = "power"


class Disturbance(msgspec.Struct, frozen=True):
    """Something that disturbed a measurement, and how much of it there was, for people."""

    kind: DisturbanceKind
    detail: str


class Probe(Protocol):
    """What looks at the machine."""

    def watch(self) -> None:
        """Count the processes of this one anew; call it after a worker was started."""
        ...

    def read(self) -> Readings:
        """Look now."""
        ...


class SystemProbe:
    """Looks at this machine."""

    def __init__(self, own_processes: Callable[[], list[psutil.Process]] | None = None) -> None:
        self._find_own = own_processes or process_tree
        self._own = self._find_own()

    def watch(self) -> None:
        """See `Probe.watch`: finding the children takes tens of milliseconds, so it is not done for each reading."""
        self._own = self._find_own()

    def read(self) -> Readings:
        """See `Probe.read`."""
        thermal = read_thermal()
        swap_used, swapped_out = _swap()
        return Readings(
            at_s=perf_counter(),
            system_busy_s=_system_busy_s(),
            own_busy_s=sum(map(_busy_s, self._own)),
            swap_used_bytes=swap_used,
            swapped_out_bytes=swapped_out,
            thermal=thermal.pressure,
            throttle_events=thermal.throttle_events,
            temperature_c=thermal.temperature_c,
            power=_power(),
        )


def process_tree() -> list[psutil.Process]:
    """Return this process and its descendants: its workers, and the servers they started."""
    this = psutil.Process()
    return [this, *this.children(recursive=True)]


def conditions_between(before: Readings, after: Readings) -> Conditions:
    """Return what lay between two looks."""
    span = after.at_s - before.at_s
    others = (after.system_busy_s - before.system_busy_s) - (after.own_busy_s - before.own_busy_s)
    load = _load_cores(others, span)
    counted = before.throttle_events is not None and after.throttle_events is not None
    return Conditions(
        span_s=span,
        other_busy_s=others,
        other_load_cores=load,
        worst_other_load_cores=load,
        swap_used_before_bytes=before.swap_used_bytes,
        swap_used_after_bytes=after.swap_used_bytes,
        swapped_out_bytes=max(0, after.swapped_out_bytes - before.swapped_out_bytes),
        thermal=_worst(before.thermal, after.thermal),
        throttle_events=max(0, (after.throttle_events or 0) - (before.throttle_events or 0)) if counted else None,
        temperature_c=_highest(before.temperature_c, after.temperature_c),
        power=after.power,
        power_changed=before.power is not after.power,
    )


def conditions_together(parts: Sequence[Conditions]) -> Conditions | None:
    """Return the conditions of several repetitions as one, oldest first; None for none."""
    if not parts:
        return None
    first, last = parts[0], parts[-1]
    span, others = sum(part.span_s for part in parts), sum(part.other_busy_s for part in parts)
    load = _load_cores(others, span)
    loads = [one for one in (load, *(part.other_load_cores for part in parts)) if one is not None]
    events = [part.throttle_events for part in parts if part.throttle_events is not None]
    return Conditions(
        span_s=span,
        other_busy_s=others,
        other_load_cores=load,
        worst_other_load_cores=max(loads, default=None),
        swap_used_before_bytes=first.swap_used_before_bytes,
        swap_used_after_bytes=last.swap_used_after_bytes,
        swapped_out_bytes=sum(part.swapped_out_bytes for part in parts),
        thermal=_worst(*(part.thermal for part in parts)),
        throttle_events=sum(events) if events else None,
        temperature_c=_highest(*(part.temperature_c for part in parts)),
        power=last.power,
        power_changed=any(part.power_changed for part in parts) or len({part.power for part in parts}) > 1,
    )


def disturbances_of(conditions: Conditions, logical_cores: int) -> tuple[Disturbance, ...]:
    """Return what disturbed a measurement on a machine with so many cores."""
    found: list[Disturbance] = []
    load, limit = conditions.worst_other_load_cores, max(OTHER_LOAD_LEAST_CORES, OTHER_LOAD_SHARE * logical_cores)
    if load is not None and load > limit:
        found.append(
            Disturbance(DisturbanceKind.LOAD, f"other programs took up to {load:.1f} of {logical_cores} cores")
        )
    grown = max(conditions.swapped_out_bytes, conditions.swap_used_after_bytes - conditions.swap_used_before_bytes)
    if grown > SWAP_GROWTH_BYTES:
        found.append(Disturbance(DisturbanceKind.SWAP, f"{bytes_text(grown)} were swapped out"))
    if conditions.thermal in HOT:
        found.append(Disturbance(DisturbanceKind.THERMAL, f"thermal pressure was {conditions.thermal}"))
    elif conditions.throttle_events:
        found.append(
            Disturbance(DisturbanceKind.THERMAL, f"the processor throttled {conditions.throttle_events} times")
        )
    if conditions.power_changed:
        found.append(Disturbance(DisturbanceKind.POWER, "the power supply was plugged in or unplugged"))
    return tuple(found)


def _load_cores(others_s: float, span_s: float) -> float | None:
    """Return processor time of other programs a second; None over so short a span that counting steps hide it."""
    return max(0.0, others_s) / span_s if span_s >= LOAD_SPAN_S else None


def _worst(*pressures: ThermalPressure) -> ThermalPressure:
    """Return the most severe of them; unknown is the least that can be said."""
    order = (ThermalPressure.UNKNOWN, ThermalPressure.NOMINAL, ThermalPressure.MODERATE, ThermalPressure.HEAVY)
    return max(pressures, key=lambda one: order.index(one) if one in order else len(order))


def _highest(*temperatures: float | None) -> float | None:
    return max((one for one in temperatures if one is not None), default=None)


def _system_busy_s() -> float:
    times = psutil.cpu_times()
    # Linux counts what a guest takes twice: as the guest's and as user time.
    return float(sum(getattr(times, name) for name in times._fields if name not in {"idle", "iowait", *_GUEST}))


_GUEST = ("guest", "guest_nice")


def _busy_s(process: psutil.Process) -> float:
    with suppress(psutil.Error):  # It has ended: what it took counts as others' from now on.
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def _swap() -> tuple[int, int]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # psutil warns where a container hides /proc/vmstat; it then gives 0.
        swap = psutil.swap_memory()
    return int(swap.used), int(swap.sout)


def _power() -> PowerSource:
    if not hasattr(psutil, "sensors_battery"):
        return PowerSource.UNKNOWN
    battery = psutil.sensors_battery()
    if battery is None:
        return PowerSource.MAINS
    if battery.power_plugged is None:
        return PowerSource.UNKNOWN
    return PowerSource.MAINS if battery.power_plugged else PowerSource.BATTERY
