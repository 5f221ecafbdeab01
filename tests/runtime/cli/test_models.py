"""`first-token models`: what is there, and what it is, without loading it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.runtime.cli.command import first_token, json_of

DEMO_MODEL = Path(__file__).resolve().parents[3] / "assets" / "demo-model"


def test_the_demo_is_listed_in_every_form() -> None:
    done = first_token("models", "list", "--json")
    rows = json.loads(done.stdout)

    assert done.returncode == 0
    assert {(row["name"], row["format"]) for row in rows} == {
        (f"demo:{width}", form) for width in ("int4", "int8") for form in ("mlx", "gguf")
    }
    assert all(row["is_demo"] and row["problem"] is None for row in rows)
    assert "demo:int4" in first_token("models", "list").stdout


@pytest.mark.parametrize(
    ("file", "form", "quantization", "widest_bits"),
    [
        ("mlx-int8", "mlx", "INT8", 9.0),
        ("mlx-int4", "mlx", "INT4", 5.0),
        ("demo-q8_0.gguf", "gguf", "Q8_0", 9.0),
        ("demo-q4_0.gguf", "gguf", "Q4_0", 6.0),
    ],
)
def test_a_model_is_described_from_its_headers(file: str, form: str, quantization: str, widest_bits: float) -> None:
    model = json_of("models", "inspect", str(DEMO_MODEL / file), "--json")
    described = model["quantization"]

    assert (model["format"], model["architecture"], model["is_demo"]) == (form, "qwen3", True)
    assert 4_000_000 < int(str(model["parameters"])) < 10_000_000
    assert isinstance(described, dict)
    assert described["name"] == quantization
    assert described["bits_per_weight"] < widest_bits
    assert model["context_tokens"] == 2048
    assert "<|im_start|>" in str(model["chat_template"])


def test_a_name_is_as_good_as_a_path_and_text_is_for_people() -> None:
    done = first_token("models", "inspect", "demo:int4")

    assert done.returncode == 0
    for word in ("architecture", "parameters", "quantization", "context", "license", "chat template"):
        assert word in done.stdout


@pytest.mark.parametrize("name", ["absent", "pyproject.toml"])
def test_what_is_no_model_is_refused_in_one_line(name: str) -> None:
    done = first_token("models", "inspect", name)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("first-token: ")
    assert done.stderr.count("\n") == 1
