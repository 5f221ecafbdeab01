"""What is offered: the curated list and the Hub in one form, narrowed by what is wanted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop.state.library_offers import (
    OfferedModel,
    Origin,
    catalog_offers,
    hub_offers,
    model_place,
    not_listed,
)
from desktop.state.library_wanted import SizeRange, Wanted, matching_offers, wanted_variants
from runtime.config.paths import assets_folder
from runtime.hub.grouping import HubVariant, grouped
from runtime.hub.listing import HubRepo
from runtime.hub.naming import Scheme
from runtime.library.catalog import CATALOG_FILE_NAME, read_catalog
from runtime.values.errors import DownloadError
from runtime.values.model import ModelFormat

MLX, GGUF = ModelFormat.MLX, ModelFormat.GGUF
OFFERS = catalog_offers(read_catalog(assets_folder() / CATALOG_FILE_NAME), (GGUF, MLX))
WORDS = sorted({word for offer in OFFERS for word in f"{offer.name} {offer.good_at}".casefold().split()})


def repo(repo_id: str, *files: str, tags: tuple[str, ...] = ()) -> HubRepo:
    return HubRepo(repo_id=repo_id, files=files, tags=tags)


def test_every_curated_model_has_forms_and_what_judging_takes() -> None:
    assert len(OFFERS) > 20
    for offer in OFFERS:
        assert offer.variants
        for variant in offer.variants:
            assert variant.spec is not None
            assert variant.reads is not None
            assert variant.download_bytes
    assert len({offer.key for offer in OFFERS}) == len(OFFERS)
    keys = [variant.key for offer in OFFERS for variant in offer.variants]
    assert len(set(keys)) == len(keys)


def test_the_format_that_suits_the_machine_comes_first() -> None:
    catalog = read_catalog(assets_folder() / CATALOG_FILE_NAME)
    for formats in ((GGUF, MLX), (MLX, GGUF), (GGUF,)):
        for offer in catalog_offers(catalog, formats):
            places = [formats.index(variant.form.format) for variant in offer.variants]
            assert places == sorted(places)


@given(st.lists(st.sampled_from(WORDS), max_size=3), st.data())
def test_typing_on_never_brings_models_back(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    shorter = text[: data.draw(st.integers(0, len(text)))]
    found = matching_offers(OFFERS, Wanted(text=text))
    assert {offer.key for offer in found} <= {offer.key for offer in matching_offers(OFFERS, Wanted(text=shorter))}


def test_those_with_all_words_in_their_name_come_first() -> None:
    names = [offer.name for offer in matching_offers(OFFERS, Wanted(text="phi"))]
    assert names[:2] == ["Phi-4 mini", "Phi-4"]


def test_each_size_is_in_one_range() -> None:
    ranges = [one for one in SizeRange if one is not SizeRange.ANY]
    counts = [len(matching_offers(OFFERS, Wanted(size=one))) for one in ranges]
    assert sum(counts) == len(OFFERS)
    assert all(counts)


def test_a_scheme_leaves_only_its_forms() -> None:
    (offer,) = matching_offers(OFFERS, Wanted(text="llama 3.1 8b", scheme="int4"))
    titles = {variant.form.scheme.title for variant in wanted_variants(offer, "int4")}
    assert titles == {"INT4", "Q4_K_M"}


def test_the_hubs_forms_are_grouped_and_the_usual_ones_first() -> None:
    repos = [
        repo("maker/Model-7B-GGUF", "m-Q2_K.gguf", "m-Q8_0.gguf", "m-Q4_K_M.gguf", tags=("gguf",)),
        repo("maker/Model-7B-4bit", tags=("mlx",)),
    ]
    (offer,) = hub_offers(grouped(repos), (MLX, GGUF))
    assert [variant.title for variant in offer.variants] == [
        "INT4 · MLX",
        "Q4_K_M · GGUF",
        "Q8_0 · GGUF",
        "Q2_K · GGUF",
    ]
    assert hub_offers(grouped(repos[1:]), (GGUF,)) == ()


def test_what_the_curated_list_has_is_not_shown_twice() -> None:
    def offer(name: str, origin: Origin) -> OfferedModel:
        return OfferedModel(
            key=f"{origin}:{name}", name=name, publisher="", origin=origin, parameters=None, variants=()
        )

    found = (offer("qwen3_0.6b", Origin.HUB), offer("Other", Origin.HUB))
    assert [one.name for one in not_listed(found, [offer("Qwen3 0.6B", Origin.CATALOG)])] == ["Other"]


def test_a_form_with_a_hostile_name_has_no_place() -> None:
    form = HubVariant(repo_id="a/b", format=GGUF, scheme=Scheme("Q8_0", 8), files=("../../evil.gguf",))
    with pytest.raises(DownloadError):
        model_place(form)
