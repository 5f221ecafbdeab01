"""How the prompt is cut, and what has been evaluated when."""

from __future__ import annotations

import mlx.core as mx
import pytest
from mlx.nn.layers.base import Module

from runtime.engine.mlx_cache import new_cache
from runtime.engine.mlx_evaluation import METAL_CHUNK_TOKENS, default_chunk_tokens, evaluate_chunk
from runtime.engine.mlx_loading import load_mlx_model
from runtime.library.reader import read_spec
from tests.models.random_mlx import write_random_mlx

PROMPT = tuple(range(5, 30))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Module:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_random_mlx(folder)
    return load_mlx_model(read_spec(folder), lambda _fraction: None).network


def test_evaluates_a_prompt_in_chunks_as_in_one_go(network: Module) -> None:
    whole, pieces = new_cache(network, None), new_cache(network, None)
    evaluate_chunk(network, whole, PROMPT)
    for chunk in (PROMPT[:7], PROMPT[7:20], PROMPT[20:]):
        evaluate_chunk(network, pieces, chunk)
    assert whole.tokens == pieces.tokens == len(PROMPT)
    last = mx.array([[9]])
    one, other = (network(last, cache=cache.layers) for cache in (whole, pieces))
    assert mx.allclose(one, other, rtol=1e-4, atol=1e-4).item()


@pytest.mark.skipif(mx.metal.is_available(), reason="is about the CPU")
def test_cuts_the_prompt_of_a_large_model_finely_on_the_cpu() -> None:
    widths = [default_chunk_tokens(parameters, 4) for parameters in (1, 10**6, 10**7, 10**8, 10**11)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] <= 512
    assert widths[-1] >= 1
    assert default_chunk_tokens(10**7, 2) < default_chunk_tokens(10**7, 4)


def test_cuts_the_prompt_coarsely_on_metal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx.metal, "is_available", lambda: True)
    assert default_chunk_tokens(10**10, 2) == METAL_CHUNK_TOKENS
