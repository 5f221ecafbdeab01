"""Quantities in words."""

from __future__ import annotations

import pytest

from runtime.values.model import Quantization
from runtime.values.wording import (
    bandwidth_text,
    bytes_text,
    count_text,
    download_speed_text,
    duration_text,
    milliseconds_text,
    percent_text,
    quantization_text,
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
