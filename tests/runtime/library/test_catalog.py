"""The curated list is sound: every entry confirmed, every variant estimable, and a damaged list says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from runtime.config.paths import assets_folder
from runtime.library.catalog import (
    CATALOG_FILE_NAME,
    NOMINAL_BITS_PER_WEIGHT,
    Catalog,
    CatalogModel,
    CatalogQuantization,
    CatalogVariant,
    catalog_reads,
    catalog_spec,
    download_bytes,
    estimated_download_bytes,
    estimated_weights_bytes,
    preference,
    read_catalog,
    weights_bytes,
)
from runtime.library.fit import kv_cache_bytes, largest_context, memory_need
from runtime.values.errors import CatalogError
from runtime.values.model import ModelFormat

FILE = assets_folder() / CATALOG_FILE_NAME
CATALOG = read_catalog(FILE)
VARIANTS = [(model, variant) for model in CATALOG.models for variant in model.variants]
SPDX = {"Apache-2.0", "MIT"}
KIB = 1024

each_model = pytest.mark.parametrize("model", CATALOG.models, ids=lambda model: model.id)
each_variant = pytest.mark.parametrize(
    ("model", "variant"),
    VARIANTS,
    ids=[f"{model.id}-{variant.format.value}-{variant.quantization.value}" for model, variant in VARIANTS],
)

Json = dict[str, object]


def model_of(model_id: str) -> CatalogModel:
    model = CATALOG.model(model_id)
    assert model is not None
    return model


def variant_of(model_id: str, model_format: ModelFormat, quantization: CatalogQuantization) -> CatalogVariant:
    variant = model_of(model_id).variant(model_format, quantization)
    assert variant is not None
    return variant


def test_the_list_comes_back_from_json_as_it_went_in() -> None:
    assert msgspec.json.decode(msgspec.json.encode(CATALOG), type=Catalog) == CATALOG


def test_models_stand_in_order_of_size_and_span_the_range() -> None:
    sizes = [model.parameters for model in CATALOG.models]

    assert sizes == sorted(sizes)
    assert sizes[0] < 10**9
    assert sizes[-1] > 70 * 10**9
    assert 14 <= len(CATALOG.models) <= 25


def test_a_repository_holds_variants_of_one_model_only() -> None:
    owners: dict[str, str] = {}
    for model, variant in VARIANTS:
        assert owners.setdefault(variant.repository, model.id) == model.id
    places = [(variant.repository, variant.files) for _, variant in VARIANTS]
    assert len(set(places)) == len(places)


def test_look_ups_find_what_is_there_and_nothing_else() -> None:
    model, variant = VARIANTS[0]

    assert CATALOG.model(model.id) is model
    assert CATALOG.variant_of(variant.repository) == (model, variant)
    assert CATALOG.model("no-such-model") is None
    assert CATALOG.variant_of("nobody/nothing") is None
    assert model_of("gpt-oss-20b").variant(ModelFormat.MLX, CatalogQuantization.INT8) is None


@each_model
def test_a_model_has_a_known_license_and_one_plain_sentence(model: CatalogModel) -> None:
    assert model.license.name in SPDX or "License" in model.license.name
    assert model.good_at.endswith(".")
    assert len(model.good_at) <= 120
    assert model.good_at.count(". ") == 0


@each_model
def test_a_model_runs_with_either_engine_at_about_four_bits(model: CatalogModel) -> None:
    small = {variant.format for variant in model.variants if NOMINAL_BITS_PER_WEIGHT[variant.quantization] < 5}

    assert small == {ModelFormat.MLX, ModelFormat.GGUF}


@each_variant
def test_the_estimated_size_is_near_the_documented_one(model: CatalogModel, variant: CatalogVariant) -> None:
    if variant.download_bytes is None:
        assert download_bytes(model, variant) == estimated_download_bytes(model, variant)
        return

    assert estimated_download_bytes(model, variant) == pytest.approx(variant.download_bytes, rel=0.15)
    assert estimated_weights_bytes(model.parameters, variant.quantization) == pytest.approx(
        weights_bytes(model, variant), rel=0.15
    )


@each_variant
def test_the_fit_of_a_variant_is_computed_before_it_is_here(model: CatalogModel, variant: CatalogVariant) -> None:
    spec = catalog_spec(model, variant)
    near, far = memory_need(spec, 4096), memory_need(spec, model.context_tokens)

    assert near.weights_bytes == weights_bytes(model, variant) <= download_bytes(model, variant)
    assert 0 < near.kv_cache_bytes < far.kv_cache_bytes
    assert near.overhead_bytes > 0
    assert largest_context(spec, far.total_bytes) == model.context_tokens
    assert largest_context(spec, near.weights_bytes) == 0
    assert spec.path == Path(variant.repository, *variant.files[:1])


@pytest.mark.parametrize(
    ("model_id", "token_kib"),
    [
        ("llama-3.1-8b", 128),
        ("llama-3.3-70b", 320),
        ("qwen3.5-4b", 32),
        ("gemma-4-12b", 16),
        ("gemma-4-26b-a4b", 20),
        ("glm-4.7-flash", 47 * 576 * 2 / KIB),
    ],
)
def test_a_long_context_grows_by_what_is_documented_for_each_token(model_id: str, token_kib: float) -> None:
    model = model_of(model_id)
    spec = catalog_spec(model, model.variants[0])
    growth = kv_cache_bytes(spec, 65_536) - kv_cache_bytes(spec, 32_768)

    assert growth == token_kib * KIB * 32_768


def test_a_mixture_of_experts_reads_its_active_share_for_each_token() -> None:
    model = model_of("gpt-oss-20b")
    variant = variant_of(model.id, ModelFormat.GGUF, CatalogQuantization.MXFP4)
    reads = catalog_reads(model, variant)

    assert reads.weights_bytes == pytest.approx(weights_bytes(model, variant) * 3.6 / 20.9, rel=0.01)
    assert {layers.window_tokens for layers in reads.kv} == {None, 128}
    dense = model_of("llama-3.1-8b")
    assert catalog_reads(dense, dense.variants[0]).weights_bytes == weights_bytes(dense, dense.variants[0])


def test_images_are_downloaded_with_mlx_and_not_counted_as_weights_of_the_text_model() -> None:
    model = model_of("qwen3.5-9b")
    mlx = variant_of(model.id, ModelFormat.MLX, CatalogQuantization.INT4)
    gguf = variant_of(model.id, ModelFormat.GGUF, CatalogQuantization.Q4_K_M)

    assert download_bytes(model, mlx) - weights_bytes(model, mlx) == model.encoder_parameters * 2
    assert download_bytes(model, gguf) == weights_bytes(model, gguf)


def test_the_larger_model_is_preferred_and_then_the_wider_weights() -> None:
    small, large = model_of("qwen3.5-4b"), model_of("qwen3.5-9b")
    int4, int8 = (
        variant_of(small.id, ModelFormat.MLX, kind) for kind in (CatalogQuantization.INT4, CatalogQuantization.INT8)
    )

    assert preference(small, int4) < preference(small, int8) < preference(large, large.variants[0])


def first_model(raw: Json) -> Json:
    models = raw["models"]
    assert isinstance(models, list)
    model: Json = models[0]
    return model


def first_variant(raw: Json) -> Json:
    variants = first_model(raw)["variants"]
    assert isinstance(variants, list)
    variant: Json = variants[0]
    return variant


def twice(raw: Json, key: str) -> None:
    entries = raw[key]
    assert isinstance(entries, list)
    entries.append(entries[0])


def shape(raw: Json) -> Json:
    architecture = first_model(raw)["architecture"]
    assert isinstance(architecture, dict)
    return architecture


DAMAGE: dict[str, tuple[Callable[[Json], object], str]] = {
    "newer": (lambda raw: raw.update(schema_version=2), "form 2"),
    "double id": (lambda raw: twice(raw, "models"), "two models qwen3-0.6b"),
    "double variant": (lambda raw: twice(first_model(raw), "variants"), "variant twice"),
    "no variant": (lambda raw: first_model(raw).update(variants=[]), "variants"),
    "no source": (lambda raw: first_variant(raw).update(confirmed_in=[]), "confirmed_in"),
    "a source that is none": (lambda raw: first_variant(raw).update(confirmed_in=["somewhere"]), "confirmed_in"),
    "negative size": (lambda raw: first_variant(raw).update(download_bytes=-1), "download_bytes"),
    "no repository": (lambda raw: first_variant(raw).update(repository="Qwen3-0.6B-4bit"), "repository"),
    "unknown bits": (lambda raw: first_variant(raw).update(quantization="INT3"), "INT3"),
    "unknown key": (lambda raw: first_variant(raw).update(size=1), "size"),
    "files of a directory": (lambda raw: first_variant(raw).update(files=["a.gguf"]), "needs files"),
    "GGUF without files": (lambda raw: first_variant(raw).update(format="gguf"), "needs files"),
    "a way out": (lambda raw: first_variant(raw).update(format="gguf", files=["../a.gguf"]), "no name of a GGUF"),
    "a pickle": (lambda raw: first_variant(raw).update(format="gguf", files=["a.bin"]), "no name of a GGUF"),
    "plain http": (lambda raw: first_model(raw).update(license={"name": "MIT", "url": "http://a.org"}), "license"),
    "too active": (lambda raw: first_model(raw).update(active_parameters=10**12), "more parameters are active"),
    "too many layers": (lambda raw: shape(raw).update(layers=2), "more layers keep keys"),
    "too many experts": (lambda raw: shape(raw).update(experts={"active": 9, "total": 8}), "more experts"),
    "encoders alone": (lambda raw: first_model(raw).update(encoder_parameters=10**9), "smaller than its encoders"),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_list_says_what_is_wrong(damage: Callable[[Json], object], words: str, tmp_path: Path) -> None:
    raw = msgspec.json.decode(FILE.read_bytes(), type=Json)
    damage(raw)
    broken = tmp_path / CATALOG_FILE_NAME
    broken.write_bytes(msgspec.json.encode(raw))

    with pytest.raises(CatalogError) as caught:
        read_catalog(broken)

    assert words in caught.value.what
    assert CATALOG_FILE_NAME in caught.value.what


@pytest.mark.parametrize(
    "content", [b"", b"[]", FILE.read_bytes()[:-100], b"\xff\xfe", b"[" * 100_000, b" " * 2_000_001]
)
def test_a_file_that_is_no_list_is_refused(content: bytes, tmp_path: Path) -> None:
    broken = tmp_path / CATALOG_FILE_NAME
    broken.write_bytes(content)

    with pytest.raises(CatalogError, match="is damaged"):
        read_catalog(broken)


def test_a_missing_list_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be read"):
        read_catalog(tmp_path / CATALOG_FILE_NAME)
