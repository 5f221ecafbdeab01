"""How the prompt is cut, and what has been evaluated when."""

from __future__ import annotations

from itertools import islice

import mlx.core as mx
import pytest
from mlx.nn.layers.base import Module

from runtime.engine.mlx_cache import new_cache
from runtime.engine.mlx_evaluation import METAL_CHUNK_TOKENS, decode, default_chunk_tokens, prefill
from runtime.engine.mlx_loading import load_mlx_model
from runtime.engine.mlx_sampling import TokenChooser
from runtime.library.reader import read_spec
from runtime.values.sampling import GREEDY
from tests.models.random_mlx import write_random_mlx

PROMPT = tuple(range(5, 30))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Module:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_random_mlx(folder)
    return load_mlx_model(read_spec(folder), lambda _fraction: None).network


@pytest.mark.parametrize(("cached", "chunk", "expected"), [(0, 10, [10, 20, 24]), (7, 24, [24]), (24, 10, [])])
def test_reads_the_prompt_up_to_its_last_token(network: Module, cached: int, chunk: int, expected: list[int]) -> None:
    cache = new_cache(network, None)
    list(prefill(network, cache, PROMPT[: cached + 1], 0, 100))
    assert cache.tokens == cached
    seen = [(done, cache.tokens) for done in prefill(network, cache, PROMPT, cached, chunk)]
    assert seen == [(done, done) for done in expected]


def test_says_that_the_prompt_is_read_before_the_first_token_comes(network: Module) -> None:
    cache = new_cache(network, None)
    list(prefill(network, cache, PROMPT, 0, 100))
    order: list[str] = []
    tokens = decode(network, cache, PROMPT[-1], TokenChooser(GREEDY, PROMPT, 0), lambda: order.append("read"))
    order += [f"token {token}" for token in islice(tokens, 3)]
    assert order[0] == "read"
    assert order.count("read") == 1
    assert len(order) == 4


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
