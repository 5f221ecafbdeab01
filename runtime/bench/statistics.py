"""What a few samples say: mean, spread, median, and how sure the mean is; and whether two sets of samples differ.

Intervals are 95 % confidence intervals by Student's t: mean ± t(0.975, n − 1) · s / √n (NIST/SEMATECH e-Handbook of
Statistical Methods, 1.3.5.2). They assume samples that are independent and roughly normal; the raw samples are always
kept beside them. One sample has no spread and no interval.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import msgspec

CONFIDENCE = 0.95
MOST_DEGREES = 1000
"""Beyond this, t differs from the normal distribution by less than 0.2 %, and the series below gets long."""
BISECTIONS = 80


class Interval(msgspec.Struct, frozen=True):
    """From `low` to `high`, both included."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Return whether `value` lies within."""
        return self.low <= value <= self.high

    def overlaps(self, other: Interval) -> bool:
        """Return whether the two share a value."""
        return self.low <= other.high and other.low <= self.high


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A set of samples in short, in the samples' own unit.

    Attributes:
        count: how many there are.
        mean: their arithmetic mean.
        stddev: sample standard deviation (n − 1); None for a single sample.
        median: the middle one, or the mean of the middle two.
        interval: 95 % confidence interval of the mean; None for a single sample.
    """

    count: int
    mean: float
    stddev: float | None
    median: float
    interval: Interval | None


class Change(msgspec.Struct, frozen=True):
    """A relative change: 0.1 is a tenth more; `interval` is its 95 % confidence interval, None where unknown."""

    relative: float
    interval: Interval | None


def summarize(samples: Sequence[float]) -> Summary | None:
    """Return the samples in short; None if there are none."""
    if not samples:
        return None
    mean = statistics.mean(samples)
    stddev = statistics.stdev(samples) if len(samples) > 1 else None
    return Summary(
        count=len(samples),
        mean=mean,
        stddev=stddev,
        median=statistics.median(samples),
        interval=None if stddev is None else _interval_around(mean, stddev, len(samples)),
    )


def percentile(samples: Sequence[float], share: float) -> float | None:
    """Return the value below which `share` (0 to 1) of the samples lie, interpolated between neighbours; None for none.

    Hyndman and Fan's type 7, which spreadsheets and NumPy use.
    """
    if not samples:
        return None
    ordered = sorted(samples)
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def relative_change(before: Sequence[float], after: Sequence[float]) -> Change | None:
    """Return by how much positive samples have changed; None if a side is empty or not positive.

    Compares mean logarithms, so that the change is a ratio of geometric means, with Welch's interval for samples of
    unequal spread (Welch 1947; degrees of freedom by Satterthwaite, rounded down). A side with one sample has none.
    """
    if not before or not after or min(*before, *after) <= 0:
        return None
    old, new = ([math.log(value) for value in side] for side in (before, after))
    difference = statistics.mean(new) - statistics.mean(old)
    half = _welch_half_width(old, new)
    interval = None if half is None else Interval(math.expm1(difference - half), math.expm1(difference + half))
    return Change(math.expm1(difference), interval)


def student_t(degrees_of_freedom: int, confidence: float = CONFIDENCE) -> float:
    """Return the t with P(|T| <= t) = `confidence` for a whole number of degrees of freedom, at least 1.

    P is Abramowitz and Stegun's finite series (Handbook of Mathematical Functions, 26.7.3 and 26.7.4), inverted by
    halving.
    """
    if degrees_of_freedom < 1 or not 0 < confidence < 1:
        raise ValueError((degrees_of_freedom, confidence))
    degrees = min(degrees_of_freedom, MOST_DEGREES)
    low, high = 0.0, math.pi / 2
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _probability_within(middle, degrees) < confidence:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees) * math.tan((low + high) / 2)


def _interval_around(mean: float, stddev: float, count: int) -> Interval:
    half = student_t(count - 1) * stddev / math.sqrt(count)
    return Interval(mean - half, mean + half)


def _welch_half_width(one: Sequence[float], other: Sequence[float]) -> float | None:
    if len(one) < 2 or len(other) < 2:
        return None
    errors = [statistics.variance(side) / len(side) for side in (one, other)]
    together = sum(errors)
    if together == 0:
        return 0.0
    weights = sum(error**2 / (len(side) - 1) for error, side in zip(errors, (one, other), strict=True))
    degrees = max(1, int(together**2 / weights)) if weights else MOST_DEGREES
    return student_t(degrees) * math.sqrt(together)


def _probability_within(theta: float, degrees: int) -> float:
    """Return P(|T| <= √degrees · tan theta)."""
    sine, cosine = math.sin(theta), math.cos(theta)
    if degrees % 2 == 0:
        return sine * _series(cosine, range(1, degrees - 2, 2))
    rest = sine * cosine * _series(cosine, range(2, degrees - 2, 2)) if degrees > 1 else 0.0
    return 2 / math.pi * (theta + rest)


def _series(cosine: float, numerators: range) -> float:
    """Return 1 + Σ of terms, each the one before times numerator / (numerator + 1) · cos²."""
    total = term = 1.0
    for numerator in numerators:
        term *= numerator / (numerator + 1) * cosine * cosine
        total += term
    return total
