"""Whether the machine is too warm to run at full speed, as far as the operating system says so to anyone.

macOS: the system-wide thermal pressure (`notifyutil`), or the speed limit of `pmset -g therm` where that is not to be
had. Linux: the kernel's count of throttle events on x86, and CPU cooling devices in use elsewhere. What a system does
not say is unknown, never "fine".
"""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec

SYS = Path("/sys")
NOTIFYUTIL = ("/usr/bin/notifyutil", "-g", "com.apple.system.thermalpressurelevel")
PMSET = ("/usr/bin/pmset", "-g", "therm")
COMMAND_TIMEOUT_S = 2
MILLI = 1000
CPU_COOLING = re.compile(r"Processor|.*cpufreq.*", re.IGNORECASE)
RunCommand = Callable[[tuple[str, ...]], str]


class ThermalPressure(StrEnum):
    """How far the system holds itself back for being warm."""

    NOMINAL = "nominal"
    MODERATE = "moderate"
    HEAVY = "heavy"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


APPLE_LEVELS = (
    ThermalPressure.NOMINAL,
    ThermalPressure.MODERATE,
    ThermalPressure.HEAVY,
    ThermalPressure.CRITICAL,
    ThermalPressure.CRITICAL,
)
"""kOSThermalPressureLevel Nominal, Moderate, Heavy, Trapping, Sleeping of macOS's OSThermalNotification.h."""


class ThermalReading(msgspec.Struct, frozen=True, kw_only=True):
    """One look.

    Attributes:
        pressure: as of now.
        throttle_events: how often the processor has throttled since the machine started; None where nobody counts.
        temperature_c: the warmest sensor in degrees Celsius; None without sensors.
    """

    pressure: ThermalPressure
    throttle_events: int | None = None
    temperature_c: float | None = None


def read_thermal(system: str = "") -> ThermalReading:
    """Look at this machine; takes milliseconds."""
    match system or platform.system():
        case "Darwin":
            return apple_thermal(output_of)
        case "Linux":
            return linux_thermal(SYS)
        case _:
            return ThermalReading(pressure=ThermalPressure.UNKNOWN)


def apple_thermal(run: RunCommand) -> ThermalReading:
    """Return what macOS says; `run` gives the output of a command, empty if it failed."""
    level = re.search(r"thermalpressurelevel\s+(\d+)", run(NOTIFYUTIL))
    if level is not None:
        known = int(level[1]) < len(APPLE_LEVELS)
        return ThermalReading(pressure=APPLE_LEVELS[int(level[1])] if known else ThermalPressure.UNKNOWN)
    limit = re.search(r"CPU_Speed_Limit\s*=\s*(\d+)", run(PMSET))
    if limit is None:
        return ThermalReading(pressure=ThermalPressure.UNKNOWN)
    return ThermalReading(pressure=ThermalPressure.NOMINAL if int(limit[1]) >= 100 else ThermalPressure.HEAVY)


def linux_thermal(sys_folder: Path) -> ThermalReading:
    """Return what the kernel says below `sys_folder`."""
    counts = [
        count
        for file in sys_folder.glob("devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count")
        if (count := _number(file)) is not None
    ]
    cooling = [
        state
        for device in sys_folder.glob("class/thermal/cooling_device*")
        if CPU_COOLING.fullmatch(_text(device / "type")) and (state := _number(device / "cur_state")) is not None
    ]
    zones = [
        degrees / MILLI
        for file in sys_folder.glob("class/thermal/thermal_zone*/temp")
        if (degrees := _number(file)) is not None
    ]
    pressure = ThermalPressure.NOMINAL if counts or cooling else ThermalPressure.UNKNOWN
    if any(cooling):
        pressure = ThermalPressure.MODERATE
    return ThermalReading(
        pressure=pressure,
        throttle_events=sum(counts) if counts else None,
        temperature_c=max(zones, default=None),
    )


def output_of(command: tuple[str, ...]) -> str:
    """Return what a command prints; empty if it is not there, fails, or takes longer than two seconds."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _number(file: Path) -> int | None:
    text = _text(file)
    return int(text) if text.removeprefix("-").isdecimal() else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
