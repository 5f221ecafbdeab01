"""Quantities in words."""

from __future__ import annotations

import pytest

from runtime.values.model import Quantization
from runtime.values.wording import (
    bandwidth_text,
    bytes_text,
    change_text,
    count_text,
    download_speed_text,
    duration_text,
    milliseconds_text,
    number_text,
    operations_text,
    percent_text,
    quantization_text,
    rate_text,
    speed_text,
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345_678, "12 MB"),
        (5_050_000_000, "5.0 GB"),
        (1_130_000_000_000, "1.1 TB"),
    ],
)
def test_bytes(count: int | None, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "–"),
        (950, "950"),
        (12_300, "12 k"),
        (596_049_920, "596 M"),
        (999_900_000, "1 B"),
        (8_190_000_000, "8.2 B"),
        (8_000_000_000, "8 B"),
        (405_900_000_000, "406 B"),
        (1_100_000_000_000, "1.1 T"),
    ],
)
def test_counts(count: float | None, text: str) -> None:
    assert count_text(count) == text


@pytest.mark.parametrize(("speed", "text"), [(None, "–"), (0.0, "0 B/s"), (54_300_000.0, "54 MB/s")])
def test_download_speeds(speed: float | None, text: str) -> None:
    assert download_speed_text(speed) == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.84, "0.8 ms"), (41.3, "41 ms"), (2350.0, "2.35 s")])
def test_milliseconds(value: float | None, text: str) -> None:
    assert milliseconds_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (-1.0, "0 s"),
        (45.2, "45 s"),
        (89.4, "89 s"),
        (90.0, "2 min"),
        (3500.0, "58 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (41.23, "41.2 tok/s"), (3210.4, "3,210 tok/s")])
def test_speed(value: float | None, text: str) -> None:
    assert speed_text(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (31.24e9, "31.2 GB/s"), (409.6e9, "410 GB/s")])
def test_bandwidth(value: float | None, text: str) -> None:
    assert bandwidth_text(value) == text


@pytest.mark.parametrize(("share", "text"), [(None, "–"), (0.668, "67 %"), (1.0, "100 %")])
def test_percent(share: float | None, text: str) -> None:
    assert percent_text(share) == text


def test_quantization() -> None:
    assert quantization_text(Quantization("INT4", 4.5)) == "INT4, 4.50 bits a weight"


def test_rates_and_changes_have_as_many_digits_as_can_be_read() -> None:
    assert [rate_text(rate) for rate in (None, 3.14159, 41.23, 812.34, 3210.4)] == [
        "–",
        "3.14",
        "41.2",
        "812.3",
        "3,210",
    ]
    assert rate_text(41.23, 0.58) == "41.2 ± 0.6"
    assert [change_text(share) for share in (None, 0.0312, -0.12)] == ["–", "+3.1 %", "−12.0 %"]
    assert (number_text(None, 2), number_text(7.6012, 3)) == ("–", "7.601")
    speeds = [operations_text(speed) for speed in (None, 9.5e8, 4.1e10, 2.1e12)]
    assert speeds == ["–", "950 MFLOP/s", "41 GFLOP/s", "2.1 TFLOP/s"]
