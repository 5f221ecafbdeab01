"""Comparing variants fairly: A B A B …, so that a noisy machine is noisy for all of them; ratios with their spread."""

from __future__ import annotations

import platform
import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence

import msgspec

RESAMPLES = 2000


class Ratio(msgspec.Struct, frozen=True):
    """A median of paired ratios and its 95 % bootstrap interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} (95 % interval {self.low:.3f} to {self.high:.3f})"


def measure(variants: Mapping[str, Callable[[], float]], rounds: int, *, warm_up: int = 1) -> dict[str, list[float]]:
    """Run every variant once a round, in an order that alternates, and return the samples, warm-up left out."""
    samples: dict[str, list[float]] = {name: [] for name in variants}
    for index in range(-warm_up, rounds):
        order = list(variants) if index % 2 == 0 else list(variants)[::-1]
        for name in order:
            value = variants[name]()
            if index >= 0:
                samples[name].append(value)
                sys.stderr.write(f"round {index + 1}/{rounds}  {name}: {value:.2f}\n")
    return samples


def paired_ratio(numerator: Sequence[float], denominator: Sequence[float], seed: int = 1) -> Ratio:
    """Return the median of the ratios within each round, with a bootstrap interval over the rounds."""
    ratios = [a / b for a, b in zip(numerator, denominator, strict=True)]
    draw = random.Random(seed)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    return Ratio(statistics.median(ratios), medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES)])


def summary(name: str, samples: Sequence[float], unit: str) -> str:
    """Return one line: median and range."""
    spread = f"{min(samples):.2f} to {max(samples):.2f}, n = {len(samples)}"
    return f"{name}: median {statistics.median(samples):.2f} {unit}, {spread}"


def machine() -> str:
    """Return what the figures were measured on."""
    from runtime.metrics.device import read_device  # noqa: PLC0415 - only the report needs it

    device = read_device()
    system = f"{device.os} {device.os_version}, Python {platform.python_version()}"
    return f"{device.chip}, {device.usable_cores} cores, {system}"
