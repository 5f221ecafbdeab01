"""Judging offers: by memory, format and speed, for the context that is chosen."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from desktop.state.engine_state import EngineState
from desktop.state.library_fit import FitState, Machine
from desktop.state.library_offers import OfferedModel, catalog_offers
from desktop.state.metrics_state import MetricsState
from runtime.client.base import ModelToLoad
from runtime.client.launch import make_supervisor
from runtime.config.paths import app_paths, assets_folder
from runtime.config.settings import Settings
from runtime.library.catalog import CATALOG_FILE_NAME, read_catalog
from runtime.library.predictions import EngineHistory
from runtime.library.verdict import MemoryBudget, Verdict
from runtime.metrics.device import read_device
from runtime.values.errors import ModelMissingError
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import EngineName, ModelFormat

MLX, GGUF = ModelFormat.MLX, ModelFormat.GGUF
CATALOG = read_catalog(assets_folder() / CATALOG_FILE_NAME)


def history(gigabytes_per_second: float) -> EngineHistory:
    speed = gigabytes_per_second * 1e9
    bandwidth = MemoryBandwidth(
        bytes_per_second=speed,
        median_bytes_per_second=speed,
        slowest_bytes_per_second=speed,
        rounds=3,
        buffer_bytes=1 << 28,
        cached_bytes=0,
        reader="test",
    )
    return EngineHistory(bandwidth=bandwidth)


@pytest.fixture
def fit(qtbot: QtBot) -> FitState:  # noqa: ARG001 - signals need the app
    """Return a state that knows no machine yet; no model is loaded."""
    engine = EngineState(make_supervisor(), no_model)
    return FitState(app_paths({"FIRST_TOKEN_HOME": "/nowhere"}), engine, MetricsState())


def no_model(name: str) -> ModelToLoad:
    raise ModelMissingError(f"No model {name}.", "Use another.")


def stand_on(
    fit: FitState, gigabytes: float, histories: Mapping[ModelFormat, EngineHistory]
) -> tuple[OfferedModel, ...]:
    """Have `fit` judge for a machine with so much memory; return what is offered for it."""
    budget = MemoryBudget(available_bytes=int(gigabytes * 1e9))
    fit.machine = Machine(device=read_device(), budget=budget, histories=dict(histories))
    fit.choose_context(fit.context_tokens + 1)  # what was worked out before no longer holds
    return catalog_offers(CATALOG, fit.formats)


async def test_before_the_machine_is_known_nothing_is_judged(fit: FitState) -> None:
    (offer, *_) = catalog_offers(CATALOG, (GGUF,))
    assert fit.outlook(offer.variants[0]) is None
    assert fit.recommended([offer]) == {}
    assert fit.best_variant(offer) == offer.variants[0]


async def test_the_best_that_is_fast_and_fits_is_recommended(fit: FitState) -> None:
    for gigabytes in (4, 16, 64):
        offers = stand_on(fit, gigabytes, {MLX: history(300), GGUF: history(300)})
        recommended = fit.recommended(offers)
        assert 1 <= len(recommended) <= 3
        sizes = []
        for key, variant in recommended.items():
            outlook = fit.outlook(variant)
            assert outlook is not None
            assert outlook.judgement.verdict is Verdict.FITS
            assert outlook.prediction.tokens_per_second is not None
            assert outlook.prediction.tokens_per_second >= 10
            sizes.append(next(offer.parameters or 0 for offer in offers if offer.key == key))
        assert sizes == sorted(sizes, reverse=True)


async def test_with_slow_memory_smaller_models_are_recommended(fit: FitState) -> None:
    def largest(bandwidth: float) -> int:
        offers = stand_on(fit, 64, {GGUF: history(bandwidth)})
        best = next(iter(fit.recommended(offers)))
        return next(offer.active_parameters or offer.parameters or 0 for offer in offers if offer.key == best)

    assert largest(25) < largest(800)


async def test_without_a_measured_bandwidth_nothing_is_recommended(fit: FitState) -> None:
    offers = stand_on(fit, 64, {GGUF: EngineHistory()})
    assert fit.recommended(offers) == {}
    assert fit.outlook(fit.best_variant(offers[0])) is not None


async def test_of_two_formats_the_one_that_suits_the_machine_is_suggested(fit: FitState) -> None:
    for formats in ((MLX, GGUF), (GGUF, MLX)):
        offers = stand_on(fit, 64, {one: history(200) for one in formats})
        both = [offer for offer in offers if {variant.form.format for variant in offer.variants} == {MLX, GGUF}]
        suggested = [fit.best_variant(offer).form.format for offer in both]
        assert set(suggested) == {formats[0]}


async def test_a_longer_context_takes_more_up_to_what_the_model_was_made_for(fit: FitState) -> None:
    offers = stand_on(fit, 64, {GGUF: EngineHistory()})
    phi = next(offer for offer in offers if offer.name == "Phi-4")
    needs = []
    for tokens in (2048, 16_384, 131_072):
        fit.choose_context(tokens)
        outlook = fit.outlook(phi.variants[0])
        assert outlook is not None
        needs.append(outlook.judgement.need)
    assert needs[0].kv_cache_bytes < needs[1].kv_cache_bytes
    assert needs[1] == needs[2]  # Its limit is 16,384.


async def test_an_engine_that_is_set_leaves_only_its_format(fit: FitState) -> None:
    await fit.refresh(Settings(engine=EngineName.LLAMACPP))
    assert fit.formats in {(GGUF,), ()}
    await fit.refresh(msgspec.structs.replace(Settings(), engine=None))
    assert GGUF in fit.formats
    assert ModelFormat.SCRIPT not in fit.formats
