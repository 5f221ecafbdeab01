"""How far a run is, and how long it will still take: from what the repetitions so far took, kind by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from time import monotonic

import msgspec

from runtime.bench.plan import Step
from runtime.bench.workload import DECODE_WEIGHT, weight_of


class Activity(StrEnum):
    """What a run is doing."""

    IDENTIFYING = "identifying"
    LOADING = "loading"
    WARMING_UP = "warming-up"
    MEASURING = "measuring"
    SCORING = "scoring"


class BenchProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run is.

    Attributes:
        activity: what it is doing.
        model: with which model.
        test: at which test; empty while a model is identified or loaded.
        done_steps: repetitions that are over, failed ones included.
        total_steps: repetitions of the whole run.
        elapsed_s: since the run began.
        remaining_s: what the rest will take, scoring included, as far as can be told; None before the first
            repetition.
    """

    activity: Activity
    model: str
    test: str
    done_steps: int
    total_steps: int
    elapsed_s: float
    remaining_s: float | None


class Clock:
    """Watches how long repetitions take. What was not seen yet is guessed from its weight.

    `tokens_to_score` come after all of them; writing them takes as long as writing any.
    """

    def __init__(
        self, steps: Iterable[Step], clock_s: Callable[[], float] = monotonic, *, tokens_to_score: int = 0
    ) -> None:
        self._clock_s = clock_s
        self._tokens_to_score = tokens_to_score
        self._scored_tokens, self._scoring_s = 0, 0.0
        self._begun_s = clock_s()
        self._left = dict.fromkeys(steps)
        self._total = len(self._left)
        self._seconds: dict[Step, list[float]] = {}
        self._weight_done = 0

    @property
    def done_steps(self) -> int:
        """Repetitions that are over."""
        return self._total - len(self._left)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self._clock_s() - self._begun_s

    def finish(self, step: Step, seconds: float) -> None:
        """Note that a repetition is over, and how long it took with its preparation."""
        self._left.pop(step, None)
        self._seconds.setdefault(_kind(step), []).append(seconds)
        self._weight_done += weight_of(step.workload)

    def drop(self, step: Step) -> None:
        """Note that a repetition will not be made."""
        self._left.pop(step, None)

    def note_scored(self, tokens: int, seconds: float, left: int) -> None:
        """Note that so many more tokens were scored, how long that took, and how many are left in the whole run."""
        self._scored_tokens += tokens
        self._scoring_s += seconds
        self._tokens_to_score = left

    def remaining_s(self) -> float | None:
        """Return what the rest will take; None before the first repetition or token."""
        if self._scored_tokens:
            return self._scoring_s / self._scored_tokens * self._tokens_to_score
        if not self._weight_done:
            return None
        pace = sum(map(sum, self._seconds.values())) / self._weight_done
        scoring_s = pace * DECODE_WEIGHT * self._tokens_to_score
        return sum(self._expected_s(step, pace) for step in self._left) + scoring_s

    def progress(self, activity: Activity, model: str, test: str = "") -> BenchProgress:
        """Return where the run is."""
        return BenchProgress(
            activity=activity,
            model=model,
            test=test,
            done_steps=self.done_steps,
            total_steps=self._total,
            elapsed_s=self.elapsed_s,
            remaining_s=self.remaining_s(),
        )

    def _expected_s(self, step: Step, pace: float) -> float:
        seen = self._seconds.get(_kind(step))
        return sum(seen) / len(seen) if seen else pace * weight_of(step.workload)


def _kind(step: Step) -> Step:
    return msgspec.structs.replace(step, repetition=0)
