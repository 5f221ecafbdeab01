"""What is recommended is the best that runs comfortably, and follows the machine."""

from __future__ import annotations

import msgspec
import pytest

from runtime.config.paths import assets_folder
from runtime.library.catalog import CATALOG_FILE_NAME, catalog_reads, preference, read_catalog
from runtime.library.predictions import EngineHistory
from runtime.library.recommendation import (
    COMFORTABLE_TOKENS_PER_SECOND,
    JudgedVariant,
    judged_variants,
    recommended,
)
from runtime.library.verdict import MemoryBudget, Verdict
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import ModelFormat
from tests.runtime.metrics.test_roofline import BANDWIDTH

GB = 10**9
CATALOG = read_catalog(assets_folder() / CATALOG_FILE_NAME)


def reading_at(gigabytes_per_second: float) -> MemoryBandwidth:
    return msgspec.structs.replace(BANDWIDTH, bytes_per_second=gigabytes_per_second * GB)


def variants(
    memory_gb: float, bandwidth: MemoryBandwidth | None, model_format: ModelFormat = ModelFormat.MLX
) -> tuple[JudgedVariant, ...]:
    budget = MemoryBudget(available_bytes=int(memory_gb * GB))
    return judged_variants(CATALOG, budget, {model_format: EngineHistory(bandwidth=bandwidth)})


@pytest.mark.parametrize(
    ("memory_gb", "gigabytes_per_second", "least_billions", "most_billions"),
    [(6, 40, 0.5, 8), (10, 120, 4, 12), (20, 270, 10, 30), (80, 800, 30, 80), (80, 30, 2, 40)],
)
def test_a_larger_machine_gets_a_larger_model(
    memory_gb: float, gigabytes_per_second: float, least_billions: float, most_billions: float
) -> None:
    chosen = recommended(variants(memory_gb, reading_at(gigabytes_per_second)))

    assert chosen is not None
    assert least_billions <= chosen.model.parameters / 1e9 <= most_billions
    assert chosen.variant.format is ModelFormat.MLX


def test_nothing_that_is_better_would_have_been_comfortable() -> None:
    judged = variants(16, reading_at(100))
    chosen = recommended(judged)

    assert chosen is not None
    assert chosen.judgement.verdict is Verdict.FITS
    assert (chosen.prediction.tokens_per_second or 0) >= COMFORTABLE_TOKENS_PER_SECOND
    best = preference(chosen.model, chosen.variant)
    assert any(preference(one.model, one.variant) > best for one in judged)
    for one in judged:
        if preference(one.model, one.variant) > best:
            assert one.judgement.verdict is not Verdict.FITS or (one.prediction.tokens_per_second or 0) < 10


def test_a_mixture_of_experts_is_fast_for_its_size() -> None:
    judged = variants(40, reading_at(60))
    chosen = recommended(judged)

    assert chosen is not None
    assert catalog_reads(chosen.model, chosen.variant).weights_bytes < 6 * GB


def test_nothing_is_recommended_where_the_speed_is_not_known_or_nothing_fits() -> None:
    assert recommended(variants(64, None)) is None
    assert recommended(variants(0.1, reading_at(100))) is None
    assert recommended(()) is None


def test_only_formats_that_run_here_are_judged() -> None:
    both = {one: EngineHistory() for one in (ModelFormat.MLX, ModelFormat.GGUF)}
    budget = MemoryBudget(available_bytes=GB)

    assert {one.variant.format for one in variants(8, None, ModelFormat.GGUF)} == {ModelFormat.GGUF}
    assert len(judged_variants(CATALOG, budget, both)) == sum(len(model.variants) for model in CATALOG.models)
    assert judged_variants(CATALOG, budget, {}) == ()
