"""How the next token is chosen from the model's distribution, and which values make sense.

Every engine validates through `checked`: an out-of-range value that reaches MLX poisons its random state for all
later calls, and llama.cpp silently ignores some.
"""

from __future__ import annotations

import math

import msgspec

from runtime.values.errors import InvalidRequestError

MAX_SEED = 2**32 - 1


class SamplingParams(msgspec.Struct, frozen=True, kw_only=True):
    """Sampler settings; the defaults switch every filter and penalty off.

    Attributes:
        temperature: 0 is greedy; 1 is the model's own distribution; at most 5.
        top_p: keep the smallest set of tokens whose probability reaches this (0 < p <= 1; 1 is off).
        top_k: keep this many most probable tokens (0 is off).
        min_p: drop tokens below this share of the most probable one (0 <= p < 1; 0 is off).
        repetition_penalty: divides the logits of recent tokens (1 is off).
        presence_penalty: subtracted once from the logits of recent tokens (-2 to 2; 0 is off).
        frequency_penalty: subtracted per occurrence (-2 to 2; 0 is off).
        penalty_window_tokens: how many recent tokens count as recent.
        seed: makes the choice repeatable on one engine; None draws a fresh one.
    """

    temperature: float = 0.7
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    penalty_window_tokens: int = 64
    seed: int | None = None


GREEDY = SamplingParams(temperature=0.0)


class ValueRange(msgspec.Struct, frozen=True):
    """Which values make sense, both ends included; `meaning` says it in words."""

    low: float
    high: float
    meaning: str

    def holds(self, value: float) -> bool:
        """Return whether `value` is a number within the range."""
        return math.isfinite(value) and self.low <= value <= self.high


RANGES = {
    "temperature": ValueRange(0.0, 5.0, "from 0 (greedy) to 5"),
    "top_p": ValueRange(1e-6, 1.0, "above 0, at most 1"),
    "top_k": ValueRange(0, 1_000_000, "0 (off) or a positive number of tokens"),
    "min_p": ValueRange(0.0, 0.999999, "from 0 (off) to below 1"),
    "repetition_penalty": ValueRange(0.01, 10.0, "from 0.01 to 10, 1 being off"),
    "presence_penalty": ValueRange(-2.0, 2.0, "from -2 to 2"),
    "frequency_penalty": ValueRange(-2.0, 2.0, "from -2 to 2"),
    "penalty_window_tokens": ValueRange(1, 1_000_000, "a positive number of tokens"),
}


def checked(params: SamplingParams) -> SamplingParams:
    """Return `params` unchanged.

    Raises:
        InvalidRequestError: a value is not finite or out of range; the text names the value and its range.
    """
    for name, allowed in RANGES.items():
        value = getattr(params, name)
        if not allowed.holds(value):
            raise InvalidRequestError(f"{name} cannot be {value}.", f"Choose a value {allowed.meaning}.")
    if params.seed is not None and not 0 <= params.seed <= MAX_SEED:
        raise InvalidRequestError(f"seed cannot be {params.seed}.", f"Choose a whole number from 0 to {MAX_SEED}.")
    return params
