"""Thermal state: what macOS's commands print and the kernel's files hold, in one set of words; unknown is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.bench.thermal import (
    NOTIFYUTIL,
    PMSET,
    ThermalPressure,
    ThermalReading,
    apple_thermal,
    linux_thermal,
    output_of,
    read_thermal,
)

PMSET_COOL = """Note: No thermal warning level has been recorded
Note: No performance warning level has been recorded
2025-04-06 20:50:47 -0500 CPU Power notify
\tCPU_Scheduler_Limit \t= 100
\tCPU_Available_CPUs \t= 12
\tCPU_Speed_Limit \t= 100
"""


@pytest.mark.parametrize(
    ("level", "pressure"),
    [("0", "nominal"), ("1", "moderate"), ("2", "heavy"), ("3", "critical"), ("4", "critical"), ("99", "unknown")],
)
def test_macos_thermal_pressure_is_read_from_its_notification(level: str, pressure: str) -> None:
    printed: dict[tuple[str, ...], str] = {
        NOTIFYUTIL: f"com.apple.system.thermalpressurelevel {level}\n",
        PMSET: PMSET_COOL,
    }

    assert apple_thermal(printed.__getitem__).pressure == pressure


@pytest.mark.parametrize(
    ("pmset", "pressure"),
    [(PMSET_COOL, "nominal"), (PMSET_COOL.replace("Limit \t= 100", "Limit \t= 63"), "heavy"), ("", "unknown")],
)
def test_macos_speed_limit_is_read_where_the_notification_is_not_to_be_had(pmset: str, pressure: str) -> None:
    printed: dict[tuple[str, ...], str] = {NOTIFYUTIL: "", PMSET: pmset}

    assert apple_thermal(printed.__getitem__).pressure == pressure


def put(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(content + "\n", encoding="utf-8")


def test_linux_counts_throttle_events_of_all_cores(tmp_path: Path) -> None:
    for core, count in enumerate(("3", "4", "damaged")):
        put(tmp_path / f"devices/system/cpu/cpu{core}/thermal_throttle", core_throttle_count=count)
    put(tmp_path / "class/thermal/thermal_zone0", temp="45000")
    put(tmp_path / "class/thermal/thermal_zone1", temp="71500")

    reading = linux_thermal(tmp_path)

    assert reading == ThermalReading(pressure=ThermalPressure.NOMINAL, throttle_events=7, temperature_c=71.5)


@pytest.mark.parametrize(("state", "pressure"), [("0", "nominal"), ("2", "moderate")])
def test_linux_sees_processors_being_cooled_and_not_fans(tmp_path: Path, state: str, pressure: str) -> None:
    put(tmp_path / "class/thermal/cooling_device0", type="cpufreq-cpu0", cur_state=state)
    put(tmp_path / "class/thermal/cooling_device1", type="pwm-fan", cur_state="3")

    assert linux_thermal(tmp_path).pressure == pressure


def test_a_system_that_says_nothing_is_unknown(tmp_path: Path) -> None:
    assert linux_thermal(tmp_path) == ThermalReading(pressure=ThermalPressure.UNKNOWN)
    assert read_thermal("Plan 9").pressure is ThermalPressure.UNKNOWN


def test_this_machine_can_be_looked_at() -> None:
    assert read_thermal().pressure in ThermalPressure


def test_a_command_that_is_not_there_or_fails_prints_nothing(tmp_path: Path) -> None:
    assert output_of((str(tmp_path / "absent"),)) == ""
    assert output_of(("false",)) == ""
