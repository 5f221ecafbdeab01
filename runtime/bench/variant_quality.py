"""Scoring the models of a run on one text, and comparing each with the best of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from runtime.bench.model_identity import ModelIdentity
from runtime.bench.progress import Activity, BenchProgress, Clock
from runtime.bench.quality import QualityFigures, QualityText, against, figures_of
from runtime.bench.requests import StopSignal
from runtime.bench.scoring import Scored, score
from runtime.bench.variant import Variant, load_options
from runtime.bench.workload import Prefill
from runtime.values.errors import ErrorReport, FirstTokenError, report_of

PROGRESS_STEP_TOKENS = 8


class ModelQuality(msgspec.Struct, frozen=True, kw_only=True):
    """How well a model predicts a text, or why that is not known."""

    model: ModelIdentity
    figures: QualityFigures | None
    error: ErrorReport | None = None


class Scoring:
    """Scores variants on a text, up to so many tokens of it."""

    def __init__(self, text: QualityText, most_tokens: int, stop: StopSignal) -> None:
        self._text = text
        self._most_tokens = most_tokens
        self._stop = stop
        self._scored: list[tuple[ModelIdentity, Scored | ErrorReport]] = []

    async def score(
        self, variant: Variant, clock: Clock, on_progress: Callable[[BenchProgress], None], variants_left: int
    ) -> None:
        """Score a variant, after which `variants_left` are to follow; a failure is kept as its outcome.

        Raises:
            RunStoppedError: the run was cancelled.
        """
        name = variant.identity.name

        def tell(activity: Activity, test: str) -> None:
            on_progress(clock.progress(activity, name, test))

        last_s = clock.elapsed_s

        def tell_tokens(done: int, total: int) -> None:
            nonlocal last_s
            clock.note_scored(1, clock.elapsed_s - last_s, total - done + variants_left * total)
            last_s = clock.elapsed_s
            if done % PROGRESS_STEP_TOKENS == 1 or done == total:
                tell(Activity.SCORING, f"{done:,} of {total:,} tokens")

        # The room of a prompt of as many tokens; a shorter context scores less of the text.
        need = [Prefill(self._most_tokens)]
        try:
            await variant.ready(load_options(variant.model.options, need, 1, variant.identity.context_tokens), tell)
            loaded = variant.meter().model
            found = await score(variant.client, loaded, self._text, self._most_tokens, self._stop, tell_tokens)
        except FirstTokenError as error:
            variant.note_failure(error)
            self._scored.append((variant.identity, report_of(error)))
        else:
            self._scored.append((variant.identity, found))

    def figures(self) -> tuple[ModelQuality, ...]:
        """Return every variant's figures, those with the same tokens compared with the best of them."""
        return tuple(self._figures_of(model, outcome) for model, outcome in self._scored)

    def _figures_of(self, model: ModelIdentity, outcome: Scored | ErrorReport) -> ModelQuality:
        if isinstance(outcome, ErrorReport):
            return ModelQuality(model=model, figures=None, error=outcome)
        figures = figures_of(self._text, outcome.known)
        alike = [
            (other, scored)
            for other, scored in self._scored
            if isinstance(scored, Scored) and scored.token_ids == outcome.token_ids
        ]
        if len(alike) > 1:
            best, reference = best_of(alike)
            figures = against(figures, outcome.choices, best.name, reference.choices)
        return ModelQuality(model=model, figures=figures)


def best_of(scored: Sequence[tuple[ModelIdentity, Scored]]) -> tuple[ModelIdentity, Scored]:
    """Return the one with the most bits a weight, the first of several; with no such figure a model comes last."""
    return max(scored, key=lambda one: one[0].quantization.bits_per_weight if one[0].quantization else 0.0)
