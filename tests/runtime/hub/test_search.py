"""What a person gets for a search: models with their forms, asked for through the real `huggingface_hub`."""

from __future__ import annotations

import pytest

from runtime.hub.access import HubAccess
from runtime.hub.api import HubApi
from runtime.hub.grouping import HubModel, choose_variant, grouped, variants_of
from runtime.hub.listing import HubRepo
from runtime.hub.search import HubQuery, search
from runtime.values.errors import HubUnreachableError
from runtime.values.model import ModelFormat
from tests.hub.listings import gguf_listing, mlx_listing, qwen3_8b
from tests.hub.state import HubServer


@pytest.fixture
def models(hub: HubServer, api: HubApi) -> dict[str, HubModel]:
    """Return what the search for "qwen3" finds, by name."""
    hub.host(*qwen3_8b())
    return {model.name: model for model in search(api, HubQuery(text="qwen3"))}


def titles(model: HubModel, model_format: ModelFormat) -> list[str]:
    """Return the schemes that a model can be had in."""
    return [variant.scheme.title for variant in model.variants if variant.format is model_format]


def test_one_model_with_its_forms_instead_of_repositories(models: dict[str, HubModel]) -> None:
    assert set(models) == {"Qwen3-8B", "Qwen3-8B-Base", "Qwen3-8B-abliterated"}
    model = models["Qwen3-8B"]
    assert (model.publisher, model.base_model, model.license) == ("Qwen", "Qwen/Qwen3-8B", "apache-2.0")
    assert model.parameters == 8_190_735_360
    assert titles(model, ModelFormat.MLX) == ["INT4", "INT4 (AWQ)", "INT4 (DWQ)", "INT6", "INT8", "BF16"]
    assert titles(model, ModelFormat.GGUF) == [
        *("Q3_K_M", "IQ4_XS", "Q4_K_M", "Q4_K_XL (Unsloth dynamic)", "Q5_K_M", "Q6_K", "Q8_0", "BF16"),
    ]


def test_of_equal_forms_the_most_downloaded_leads(models: dict[str, HubModel]) -> None:
    model = models["Qwen3-8B"]
    int4 = model.variant("int4", ModelFormat.MLX)
    q4 = model.variant("int4", ModelFormat.GGUF)

    assert int4 is not None
    assert int4.repo_id == "mlx-community/Qwen3-8B-4bit"
    assert q4 is not None
    assert (q4.repo_id, q4.files) == ("unsloth/Qwen3-8B-GGUF", ("Qwen3-8B-Q4_K_M.gguf",))
    others = {(variant.repo_id, variant.scheme.title) for variant in model.others}
    assert ("Qwen/Qwen3-8B-MLX-4bit", "INT4") in others
    assert ("bartowski/Qwen_Qwen3-8B-GGUF", "Q4_K_M") in others


def test_files_in_parts_are_one_form(models: dict[str, HubModel]) -> None:
    (whole,) = [one for one in models["Qwen3-8B"].variants if one.files and one.scheme.title == "BF16"]

    assert whole.files == ("BF16/Qwen3-8B-BF16-00001-of-00002.gguf", "BF16/Qwen3-8B-BF16-00002-of-00002.gguf")


def test_effective_bits_are_counted_where_the_listing_counts(models: dict[str, HubModel]) -> None:
    by_title = {one.scheme.title: one for one in models["Qwen3-8B"].variants if one.format is ModelFormat.MLX}

    assert by_title["INT4"].bits_per_weight == pytest.approx(4.5, abs=0.01)
    assert by_title["INT4"].weights_bytes == 1_023_803_392 * 4 + 256_308_224 * 2
    assert by_title["BF16"].bits_per_weight == pytest.approx(16.0, abs=0.01)
    assert by_title["INT8"].bits_per_weight is None


def test_totals_are_those_of_all_forms(models: dict[str, HubModel]) -> None:
    model = models["Qwen3-8B"]

    assert model.downloads == 9000 + 3000 + 500 + 800 + 300 + 7000 + 4000 + 10 + 8000 + 20000
    assert model.likes == 200
    assert model.last_modified is not None


FILTERS = [
    (HubQuery(text="qwen3", scheme="int8"), {"Qwen3-8B"}),
    (HubQuery(text="qwen3", scheme="Q4_K_M"), {"Qwen3-8B", "Qwen3-8B-abliterated"}),
    (HubQuery(text="qwen3", scheme="INT4 (DWQ)"), {"Qwen3-8B"}),
    (HubQuery(text="qwen3", scheme="MXFP4"), set()),
    (HubQuery(text="qwen3", formats=(ModelFormat.MLX,)), {"Qwen3-8B", "Qwen3-8B-Base"}),
    (HubQuery(text="qwen3", formats=(ModelFormat.GGUF,)), {"Qwen3-8B", "Qwen3-8B-abliterated"}),
    (HubQuery(text="qwen3", formats=()), set()),
    (HubQuery(text="qwen3", license="mit"), set()),
    (
        HubQuery(text="qwen3", license="apache-2.0", most_parameters=8_100_000_000),
        {"Qwen3-8B-Base", "Qwen3-8B-abliterated"},
    ),
    (HubQuery(text="qwen3", least_parameters=8_100_000_000), {"Qwen3-8B"}),
    (HubQuery(text="qwen3", least_parameters=10**10), set()),
    (HubQuery(text="nothing like it"), set()),
]


@pytest.mark.parametrize(("query", "names"), FILTERS)
def test_filters(query: HubQuery, names: set[str], hub: HubServer, api: HubApi) -> None:
    hub.host(*qwen3_8b())

    assert {model.name for model in search(api, query)} == names


def test_models_are_sorted_by_what_all_their_forms_have(hub: HubServer, api: HubApi) -> None:
    hub.host(
        mlx_listing("a/One-1B-4bit", "one/One-1B", downloads=600),
        mlx_listing("a/One-1B-8bit", "one/One-1B", downloads=600),
        mlx_listing("a/Two-2B-4bit", "two/Two-2B", downloads=1000, likes=5000),
    )

    assert [model.name for model in search(api, HubQuery(sort="downloads"))] == ["One-1B", "Two-2B"]
    assert [model.name for model in search(api, HubQuery(sort="likes"))] == ["Two-2B", "One-1B"]


def test_same_names_of_different_publishers_stay_apart(hub: HubServer, api: HubApi) -> None:
    hub.host(
        mlx_listing("a/Nova-7B-4bit", "first/Nova-7B", downloads=10),
        mlx_listing("b/Nova-7B-8bit", "second/Nova-7B", downloads=20),
        mlx_listing("c/nova-7b-6bit", downloads=1),
    )

    found = {model.publisher: titles(model, ModelFormat.MLX) for model in search(api, HubQuery(text="nova"))}

    assert found == {"first": ["INT4"], "second": ["INT6", "INT8"]}


def test_quantizations_are_named_for_what_they_are(hub: HubServer, api: HubApi) -> None:
    base = "openai/gpt-oss-20b"
    hub.host(
        mlx_listing("mlx-community/gpt-oss-20b-MXFP4-Q8", base, stored={"U32": 2_600_000_000, "U8": 600_000_000}),
        mlx_listing("mlx-community/gpt-oss-20b-nvfp4", base),
        mlx_listing("mlx-community/gpt-oss-20b-mixed-4-6bit", base),
        mlx_listing("mlx-community/gpt-oss-20b-GPTQ-Int4", base),
        mlx_listing("mlx-community/gpt-oss-20b", base, config={"quantization_config": {"bits": 5}}),
    )

    (model,) = search(api, HubQuery(text="gpt-oss"))

    mixed = model.variant("MXFP4 + INT8", ModelFormat.MLX)
    assert mixed is not None
    assert mixed.bits_per_weight == pytest.approx((2.6e9 * 4 + 0.6e9) * 8 / 20e9)
    assert set(titles(model, ModelFormat.MLX)) == {"MXFP4 + INT8", "NVFP4", "INT4 mixed", "INT4 (GPTQ)", "INT5"}


def test_a_repository_whose_parts_are_not_all_there_offers_nothing() -> None:
    repo = HubRepo(repo_id="a/b-GGUF", tags=("gguf",), files=("b-Q8_0-00001-of-00002.gguf",))

    assert variants_of(repo) == ()
    assert grouped([repo]) == ()


def test_gated_forms_are_marked(hub: HubServer, api: HubApi) -> None:
    repo = gguf_listing("g/Gem-2b-GGUF", "g/Gem-2b", ["Gem-2b-Q8_0.gguf"])
    repo.gated = "manual"
    hub.host(repo)

    (model,) = search(api, HubQuery(text="gem"))

    assert [variant.gated for variant in model.variants] == [True]


def test_a_form_is_chosen_by_any_of_its_names() -> None:
    names = ("m-Q4_0.gguf", "m-Q4_K_M.gguf", "m-Q8_0.gguf", "m-F16.gguf")
    forms = variants_of(HubRepo(repo_id="a/m-GGUF", tags=("gguf",), files=names))

    def file_of(wanted: str) -> str | None:
        found = choose_variant(forms, wanted)
        return found.files[0] if found else None

    assert [file_of(wanted) for wanted in ("int4", "INT8", "q4_0", "fp16", "Q2_K")] == [
        *("m-Q4_K_M.gguf", "m-Q8_0.gguf", "m-Q4_0.gguf", "m-F16.gguf", None),
    ]


def test_offline_is_an_error_with_a_next_step() -> None:
    with pytest.raises(HubUnreachableError) as caught:
        search(HubApi(HubAccess("http://127.0.0.1:9")), HubQuery(text="qwen3"))

    assert "Installed models work" in caught.value.next_step
