"""Quantities in words."""

from __future__ import annotations

import pytest

from runtime.values.model import Quantization
from runtime.values.wording import bytes_text, milliseconds_text, quantization_text, speed_text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "–"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12 MB"), (5_050_000_000, "5.0 GB")],
)
def test_bytes(count: int | None, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.84, "0.8 ms"), (41.3, "41 ms"), (2350.0, "2.35 s")])
def test_milliseconds(value: float | None, text: str) -> None:
    assert milliseconds_text(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (41.23, "41.2 tok/s"), (3210.4, "3,210 tok/s")])
def test_speed(value: float | None, text: str) -> None:
    assert speed_text(value) == text


def test_quantization() -> None:
    assert quantization_text(Quantization("INT4", 4.5)) == "INT4, 4.50 bits a weight"
