"""`first-token models fit`: every term, for installed models, curated ones, and mere numbers of parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.random_gguf import write_random_gguf
from tests.runtime.cli.command import Json, first_token, json_of

GB = 10**9
NUMBERS = ("weights_bytes", "kv_cache_bytes", "overhead_bytes", "total_bytes", "available_bytes", "training_bytes")


def fit_of(*arguments: str) -> dict[str, int]:
    """Return the numbers of an answer, which have been checked against each other."""
    answer = json_of("models", "fit", *arguments, "--json")
    numbers = {name: _whole(answer, name) for name in NUMBERS}
    assert numbers["total_bytes"] == sum(numbers[f"{name}_bytes"] for name in ("weights", "kv_cache", "overhead"))
    assert min(numbers.values()) > 0
    assert answer["verdict"] in {"fits", "tight", "will not fit"}
    assert (answer["verdict"] == "will not fit") == (numbers["total_bytes"] > numbers["available_bytes"])
    return numbers


def _whole(answer: Json, name: str) -> int:
    value = answer[name]
    assert isinstance(value, int)
    return value


@pytest.mark.parametrize(("bits", "weights_gb"), [("32", 280), ("16", 140), ("8", 70), ("4", 35)])
def test_seventy_billion_parameters(bits: str, weights_gb: int) -> None:
    numbers = fit_of("--parameters", "70e9", "--bits", bits)

    assert numbers["weights_bytes"] == weights_gb * GB
    assert numbers["training_bytes"] > 1000 * GB


def test_numbers_may_be_short_and_a_longer_context_takes_more() -> None:
    near, far = (
        fit_of("--parameters", "8B", "--bits", "4"),
        fit_of("--parameters", "8e9", "--bits", "4", "--context", "32768"),
    )

    assert near["weights_bytes"] == far["weights_bytes"] == 4 * GB
    assert far["kv_cache_bytes"] == pytest.approx(4 * near["kv_cache_bytes"], rel=1e-6)
    assert fit_of("--parameters", "8e9", "--batch", "2")["kv_cache_bytes"] == pytest.approx(
        2 * near["kv_cache_bytes"], rel=1e-6
    )


def test_a_model_that_is_here_by_name_and_by_path(app_home: Path) -> None:
    file = app_home / "models" / "publisher" / "one.gguf"
    write_random_gguf(file)

    by_name = json_of("models", "fit", "one", "--json")
    by_path = json_of("models", "fit", str(file.parent / "one.gguf"), "--json")
    assert by_path["total_bytes"] == by_name["total_bytes"]
    assert (by_name["format"], by_name["quantization"], by_name["context_tokens"]) == ("gguf", "FP32", 2048)
    assert by_name["verdict"] == "fits"
    assert by_name["tokens_per_second"] is None, "no bandwidth was ever measured in this home"
    assert by_name["largest_context_tokens"] == 2048
    assert fit_of("demo")["weights_bytes"] < 10_000_000


def test_a_curated_model_by_id_name_and_repository_without_a_network() -> None:
    by_id = json_of("models", "fit", "llama-3.3-70b", "--variant", "int4", "--json")

    assert by_id["parameters"] == 70_553_706_496
    assert by_id["verdict"] == "will not fit"
    assert (
        json_of("models", "fit", "Llama 3.3 70B", "--variant", "int4", "--json")["weights_bytes"]
        == by_id["weights_bytes"]
    )
    mlx = json_of("models", "fit", "mlx-community/Llama-3.3-70B-Instruct-4bit", "--json")
    assert (mlx["format"], mlx["quantization"]) == ("mlx", "INT4")
    wide = json_of("models", "fit", "llama-3.3-70b", "--variant", "int8", "--json")
    assert int(str(wide["weights_bytes"])) > 1.5 * int(str(by_id["weights_bytes"]))


def test_text_is_for_people() -> None:
    done = first_token("models", "fit", "demo", "--context", "1024")

    assert done.returncode == 0
    for words in ("fits", "weights", "KV cache", "working memory", "total", "training", "1,024 tokens"):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "Name a model, or a number of parameters"),
        (("demo", "--parameters", "8e9"), 2, "Name a model, or"),
        (("demo", "--bits", "4"), 2, "--bits goes with --parameters"),
        (("--parameters", "many"), 2, "no number such as 8e9"),
        (("--parameters", "-1"), 2, "parameters"),
        (("--parameters", "8e9", "--bits", "0"), 1, "Choose from"),
        (("--parameters", "8e9", "--context", "0"), 1, "Choose from"),
        (("demo", "--context", "0"), 1, "Choose from"),
        (("demo", "--batch", "0"), 1, "Choose from"),
        (("no-such-model",), 1, "no model called"),
        (("./none/of/this.gguf",), 1, "no model called"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_one_line(arguments: tuple[str, ...], code: int, words: str) -> None:
    done = first_token("models", "fit", *arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
