"""Which models of the catalog to recommend on this machine: computed from what it can give, never written down.

Of the variants that fit comfortably and are fast enough to read along, the best is the one that `preference` puts
first: more parameters, then more bits. Where the speed is not known, because no bandwidth was measured yet, nothing is
recommended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from runtime.library.catalog import Catalog, CatalogModel, CatalogVariant, catalog_reads, catalog_spec, preference
from runtime.library.predictions import EngineHistory, Prediction, Workload, predict
from runtime.library.verdict import Judgement, MemoryBudget, Verdict, judge
from runtime.values.model import ModelFormat

COMFORTABLE_TOKENS_PER_SECOND = 10.0
"""About twice as fast as people read: 250 words a minute are 5 to 6 tokens a second."""


class JudgedVariant(msgspec.Struct, frozen=True, kw_only=True):
    """A variant of the catalog, whether it fits here, and how fast it will be."""

    model: CatalogModel
    variant: CatalogVariant
    judgement: Judgement
    prediction: Prediction

    @property
    def is_comfortable(self) -> bool:
        """Whether it fits with room to spare and is fast enough to read along."""
        speed = self.prediction.tokens_per_second
        return self.judgement.verdict is Verdict.FITS and speed is not None and speed >= COMFORTABLE_TOKENS_PER_SECOND


def judged_variants(
    catalog: Catalog,
    budget: MemoryBudget,
    histories: Mapping[ModelFormat, EngineHistory],
    context_tokens: int | None = None,
) -> tuple[JudgedVariant, ...]:
    """Return the variants that can run here, in the catalog's order.

    Args:
        catalog: the list.
        budget: what this machine can give.
        histories: what is known of the engine of each format; formats that are left out do not run here.
        context_tokens: see `judge`.
    """
    return tuple(
        _judged(model, variant, budget, histories[variant.format], context_tokens)
        for model in catalog.models
        for variant in model.variants
        if variant.format in histories
    )


def recommended(variants: Iterable[JudgedVariant]) -> JudgedVariant | None:
    """Return the best of `variants` that runs comfortably; None if none is known to."""
    comfortable = [one for one in variants if one.is_comfortable]
    return max(comfortable, key=lambda one: preference(one.model, one.variant), default=None)


def _judged(
    model: CatalogModel,
    variant: CatalogVariant,
    budget: MemoryBudget,
    history: EngineHistory,
    context_tokens: int | None,
) -> JudgedVariant:
    workload = Workload(reads=catalog_reads(model, variant), active_parameters=model.active_parameters)
    return JudgedVariant(
        model=model,
        variant=variant,
        judgement=judge(catalog_spec(model, variant), budget, context_tokens),
        prediction=predict(history, workload),
    )
