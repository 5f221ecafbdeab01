"""Which models may write for several conversations at once: those that say the same together as alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import mlx.core as mx
import pytest
from mlx.nn.layers.base import Module
from mlx_lm.models.qwen3 import Model

from runtime.engine.mlx_batch_trial import can_batch
from runtime.engine.mlx_cache import KvCache, KvQuantization, new_cache
from runtime.engine.mlx_loading import load_mlx_model
from runtime.library.reader import read_spec
from tests.models.random_architectures import (
    COMMON,
    LATENT_ATTENTION,
    MIXTURE_OF_EXPERTS,
    RECURRENT_STATE,
    SLIDING_WINDOW,
    Config,
    write_random_architecture,
)
from tests.models.random_gguf import GgufRecipe
from tests.models.random_mlx import write_random_mlx


def network_in(folder: Path) -> Module:
    return load_mlx_model(read_spec(folder), lambda _fraction: None).network


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Module:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_random_mlx(folder)
    return network_in(folder)


@pytest.mark.parametrize(
    "config",
    [SLIDING_WINDOW, MIXTURE_OF_EXPERTS, RECURRENT_STATE, LATENT_ATTENTION],
    ids=["sliding window", "mixture of experts", "recurrent state", "latent attention"],
)
def test_architectures_that_heed_padding_may(tmp_path: Path, config: Config) -> None:
    write_random_architecture(tmp_path / "model", {**COMMON, **config})
    found = network_in(tmp_path / "model")
    assert can_batch(found, lambda: new_cache(found, None))


@pytest.mark.parametrize("dtype", [mx.float32, mx.float16, mx.bfloat16])
@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_rounding_forbids_nothing(tmp_path: Path, architecture: str, dtype: mx.Dtype) -> None:
    write_random_mlx(tmp_path / "model", GgufRecipe(architecture=architecture), dtype=dtype)
    found = network_in(tmp_path / "model")
    assert can_batch(found, lambda: new_cache(found, None))


@pytest.mark.parametrize("bits", [4, 8])
def test_quantized_weights_forbid_nothing(tmp_path: Path, bits: int) -> None:
    write_random_mlx(tmp_path / "model", quantized_bits=bits)
    found = network_in(tmp_path / "model")
    assert can_batch(found, lambda: new_cache(found, None))


def test_a_quantized_kv_cache_holds_one_conversation_only(network: Module) -> None:
    assert not can_batch(network, lambda: new_cache(network, KvQuantization(8, 32)))


class BatchLayer(Protocol):
    """One layer of the KV cache of a batch, as mlx-lm has it."""

    left_padding: mx.array
    offset: mx.array


def with_no_padding(layer: BatchLayer) -> None:
    """Have a layer of a batch take its padding for text."""
    layer.left_padding = mx.zeros_like(layer.left_padding)


def with_one_position(layer: BatchLayer) -> None:
    """Have a layer of a batch give all conversations the position of the longest."""
    layer.offset = mx.full(layer.offset.shape, mx.max(layer.offset))


@pytest.mark.parametrize("spoiled", [with_no_padding, with_one_position])
def test_a_model_that_does_not_heed_padding_may_not(
    network: Module, monkeypatch: pytest.MonkeyPatch, spoiled: Callable[[BatchLayer], None]
) -> None:
    healthy: Callable[..., mx.array] = Model.__call__

    def heedless(self: Model, inputs: mx.array, cache: Sequence[BatchLayer]) -> mx.array:
        if inputs.shape[0] > 1:
            for layer in cache:
                spoiled(layer)
        return healthy(self, inputs, cache=cache)

    monkeypatch.setattr(Model, "__call__", heedless)
    assert not can_batch(network, lambda: new_cache(network, None))


def test_a_model_that_fails_with_several_conversations_may_not(
    network: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy: Callable[..., mx.array] = Model.__call__

    def failing(self: Model, inputs: mx.array, cache: Sequence[object]) -> mx.array:
        if inputs.shape[0] > 1:
            raise ValueError("[rope] offset must be a scalar")
        return healthy(self, inputs, cache=cache)

    monkeypatch.setattr(Model, "__call__", failing)
    assert not can_batch(network, lambda: KvCache(new_cache(network, None).layers))
