"""Names as they are on the Hub, taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.hub.naming import Recipe, Scheme, gguf_scheme, model_key, parameters_said, taken_apart, wanted_scheme
from runtime.values.model import ModelFormat

REPOSITORIES = [
    ("mlx-community/Qwen3-8B-4bit", "Qwen3-8B", "INT4"),
    ("mlx-community/Qwen3-8B-8bit", "Qwen3-8B", "INT8"),
    ("mlx-community/Qwen3-8B-bf16", "Qwen3-8B", "BF16"),
    ("Qwen/Qwen3-8B-MLX-4bit", "Qwen3-8B", "INT4"),
    ("Qwen/Qwen3-8B-MLX-bf16", "Qwen3-8B", "BF16"),
    ("mlx-community/Qwen3-30B-A3B-4bit-DWQ", "Qwen3-30B-A3B", "INT4 (DWQ)"),
    ("mlx-community/Qwen3-8B-4bit-DWQ-053125", "Qwen3-8B", "INT4 (DWQ)"),
    ("mlx-community/Qwen3-4B-Instruct-2507-4bit-DWQ-2510", "Qwen3-4B-Instruct-2507", "INT4 (DWQ)"),
    ("mlx-community/Qwen3-4B-Instruct-2507-4bit", "Qwen3-4B-Instruct-2507", "INT4"),
    ("mlx-community/Qwen2.5-Coder-7B-Instruct-4bit-AWQ", "Qwen2.5-Coder-7B-Instruct", "INT4 (AWQ)"),
    ("mlx-community/Qwen3-8B-4bit-AWQ", "Qwen3-8B", "INT4 (AWQ)"),
    ("someone/Qwen2.5-7B-Instruct-GPTQ-Int4-mlx", "Qwen2.5-7B-Instruct", "INT4 (GPTQ)"),
    ("mlx-community/gemma-3-27b-it-qat-4bit", "gemma-3-27b-it", "INT4 (QAT)"),
    ("google/gemma-3-12b-it-qat-q4_0-unquantized", "gemma-3-12b-it", "Q4_0 (QAT)"),
    ("mlx-community/gpt-oss-20b-MXFP4-Q8", "gpt-oss-20b", "MXFP4 + INT8"),
    ("mlx-community/gpt-oss-120b-MXFP4-Q4", "gpt-oss-120b", "MXFP4 + INT4"),
    ("mlx-community/Qwen3-Next-80B-A3B-Instruct-mxfp4", "Qwen3-Next-80B-A3B-Instruct", "MXFP4"),
    ("mlx-community/Llama-3.3-70B-Instruct-nvfp4", "Llama-3.3-70B-Instruct", "NVFP4"),
    ("mlx-community/Qwen3-1.7B-mixed_3_6", "Qwen3-1.7B", "INT3 mixed"),
    ("mlx-community/Qwen3-1.7B-mixed-4-6bit", "Qwen3-1.7B", "INT4 mixed"),
    ("mlx-community/phi-4-4bit", "phi-4", "INT4"),
    ("mlx-community/phi-4", "phi-4", "unknown"),
    ("mlx-community/Mistral-7B-Instruct-v0.3-4bit", "Mistral-7B-Instruct-v0.3", "INT4"),
    ("mlx-community/Llama-3.2-1B-Instruct-Q8-mlx", "Llama-3.2-1B-Instruct", "INT8"),
    ("mlx-community/Llama-3.2-3B-Instruct-4bit-gs32", "Llama-3.2-3B-Instruct", "INT4"),
    ("lmstudio-community/gpt-oss-20b-mlx-8bit", "gpt-oss-20b", "INT8"),
    ("mlx-community/DeepSeek-R1-0528-Qwen3-8B-6bit", "DeepSeek-R1-0528-Qwen3-8B", "INT6"),
    ("unsloth/Qwen3-8B-GGUF", "Qwen3-8B", "unknown"),
    ("bartowski/Meta-Llama-3.1-8B-Instruct-GGUF", "Meta-Llama-3.1-8B-Instruct", "unknown"),
    ("mlx-community/4bit", "4bit", "unknown"),
    ("x/-4bit", "", "INT4"),
    ("x/", "", "unknown"),
]


@pytest.mark.parametrize(("repo_id", "model", "title"), REPOSITORIES)
def test_repositories(repo_id: str, model: str, title: str) -> None:
    named = taken_apart(repo_id)

    assert (named.model, named.scheme.title) == (model, title)


FILES = [
    ("Qwen3-8B-Q4_K_M.gguf", "Q4_K_M", 4),
    ("Qwen3-8B-UD-Q4_K_XL.gguf", "Q4_K_XL (Unsloth dynamic)", 4),
    ("Mellum2-12B-A2.5B-Thinking.i1-IQ1_M.gguf", "IQ1_M (imatrix)", 1),
    ("Mellum2-12B-A2.5B-Thinking.Q8_0.gguf", "Q8_0", 8),
    ("BF16/Qwen3-30B-A3B-BF16-00001-of-00002.gguf", "BF16", 16),
    ("Q4_K_M/DeepSeek-V3-Q4_K_M-00003-of-00009.gguf", "Q4_K_M", 4),
    ("Q8_0/model-00001-of-00002.gguf", "Q8_0", 8),
    ("llama-3.2-1b-instruct-q8_0.gguf", "Q8_0", 8),
    ("gemma-3-12b-it-qat-q4_0.gguf", "Q4_0 (QAT)", 4),
    ("gemma-3-4b-it-F16.gguf", "FP16", 16),
    ("gpt-oss-20b-mxfp4.gguf", "MXFP4", 4),
    ("gpt-oss-20b-MXFP4_MOE.gguf", "MXFP4_MOE", 4),
    ("Llama-3.2-1B-Instruct-IQ4_XS.gguf", "IQ4_XS", 4),
    ("Llama-3.2-1B-Instruct-Q4_0_4_4.gguf", "Q4_0_4_4", 4),
    ("BitNet-b1.58-2B-4T-TQ1_0.gguf", "TQ1_0", 1),
    ("model.gguf", "unknown", 0),
    ("ggml-model-i2_s.gguf", "unknown", 0),
]


@pytest.mark.parametrize(("path", "title", "bits"), FILES)
def test_gguf_files(path: str, title: str, bits: int) -> None:
    scheme = gguf_scheme(path)

    assert (scheme.title, scheme.bits) == (title, bits)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Qwen3-8B", 8e9),
        ("Qwen3-0.6B", 6e8),
        ("gemma-3-270m-it", 2.7e8),
        ("Mixtral-8x7B-Instruct", 56e9),
        ("Qwen3-30B-A3B", 30e9),
        ("Llama-3.3-70B-Instruct", 70e9),
        ("gpt-oss-20b", 20e9),
        ("phi-4", None),
        ("Mistral-7B-Instruct-v0.3", 7e9),
        ("Qwen3-Next-80B-A3B-Instruct", 80e9),
        ("SmolLM2-135M-Instruct", 135e6),
    ],
)
def test_the_size_in_a_name(name: str, parameters: float | None) -> None:
    assert parameters_said(name) == parameters


def test_spellings_of_one_name_are_one_model() -> None:
    assert model_key("Meta-Llama-3.1-8B-Instruct") == model_key("llama-3.1-8b_instruct")
    assert model_key("Qwen3-8B") != model_key("Qwen3-8B-Base")


WISHES = [
    ("int4", "INT4", ModelFormat.MLX, True),
    ("INT4", "INT4", ModelFormat.MLX, True),
    ("4bit", "INT4", ModelFormat.MLX, True),
    ("int8", "INT8", ModelFormat.MLX, True),
    ("int8", "INT4", ModelFormat.MLX, False),
    ("int4", "Q4_K_M", ModelFormat.GGUF, True),
    ("int8", "Q8_0", ModelFormat.GGUF, True),
    ("q4_k_m", "Q4_K_M", ModelFormat.GGUF, True),
    ("q4_k_m", "Q4_K_S", ModelFormat.GGUF, False),
    ("mxfp4", "MXFP4", ModelFormat.MLX, True),
    ("int5", "INT4", ModelFormat.MLX, False),
    ("", "INT4", ModelFormat.MLX, False),
]


@pytest.mark.parametrize(("wish", "name", "model_format", "is_it"), WISHES)
def test_wishes(wish: str, name: str, model_format: ModelFormat, is_it: bool) -> None:
    assert (wanted_scheme(wish, Scheme(name, 4), model_format) is not None) is is_it


def test_of_all_with_four_bits_the_usual_one_is_meant() -> None:
    def rank(scheme: Scheme) -> int:
        found = wanted_scheme("int4", scheme, ModelFormat.GGUF)
        assert found is not None
        return found

    names = ["IQ4_XS", "Q4_0", "Q4_K_M", "Q4_K_S"]
    assert sorted(names, key=lambda name: rank(Scheme(name, 4))) == ["Q4_K_M", "Q4_K_S", "Q4_0", "IQ4_XS"]


def test_a_plain_form_comes_before_one_with_a_recipe() -> None:
    plain, dwq = Scheme("INT4", 4), Scheme("INT4", 4, Recipe.DWQ)

    assert wanted_scheme("INT4 (DWQ)", dwq, ModelFormat.MLX) is not None
    assert wanted_scheme("INT4 (DWQ)", plain, ModelFormat.MLX) is None
    assert (wanted_scheme("int4", plain, ModelFormat.MLX) or 0) < (wanted_scheme("int4", dwq, ModelFormat.MLX) or 0)


@given(st.text(max_size=60))
def test_any_text_can_be_taken_apart(text: str) -> None:
    assert text.rpartition("/")[2].startswith(taken_apart(text).model)
    assert gguf_scheme(text).title
    parameters_said(text)
    model_key(text)
