"""From values to places on an axis, and the round numbers that are written beside it."""

from __future__ import annotations

import math

import msgspec

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
MOST_DECADES = 6


class Scale(msgspec.Struct, frozen=True):
    """An axis from `low` to a larger `high`, both shown; with `is_log` both are positive and each step is a factor."""

    low: float
    high: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Return where `value` is: 0 at the low end, 1 at the high one, beyond both for values outside."""
        if not self.is_log:
            return (value - self.low) / (self.high - self.low)
        return math.log(max(value, self.low / 1e6) / self.low) / math.log(self.high / self.low)

    def ticks(self, most: int) -> list[float]:
        """Return the numbers to write beside the axis, `most` of them at the most (but for two ends)."""
        if self.is_log:
            return self._decades(most)
        step = _round_step((self.high - self.low) / max(1, most))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]

    def _decades(self, most: int) -> list[float]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        every = max(1, math.ceil((last - first) / max(1, most)))
        return [10.0**power for power in range(first, last + 1, every) if self.low <= 10.0**power <= self.high]


def scale_for(values: list[float], *, is_log: bool, from_zero: bool) -> Scale:
    """Return a scale that shows all `values` with some room; they may be none."""
    known = [value for value in values if math.isfinite(value) and (value > 0 or not is_log)]
    if not known:
        return Scale(1.0, 10.0, is_log=True) if is_log else Scale(0.0, 1.0)
    low, high = min(known), max(known)
    if is_log:
        return Scale(low / 1.6, high * 2.2, is_log=True)
    room = (high - low) * 0.25 or abs(high) * 0.1 or 1.0
    bottom = 0.0 if from_zero and low >= 0 else low - room
    top = high + (high * 0.08 if from_zero and high > 0 else room)
    return Scale(bottom, top if top > bottom else bottom + 1.0)


def _round_step(least: float) -> float:
    """Return the least round number that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least)) if least > 0 else 1.0
    return next(step * power for step in STEPS if step * power >= least * (1 - 1e-9))
