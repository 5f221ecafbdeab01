"""Recurrent states take what mlx-lm's own models keep; of GGUF files, what llama.cpp reserves."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import mlx.core as mx
import pytest
from mlx.nn.layers.base import Module
from mlx.utils import tree_flatten
from mlx_lm.models import cache as mlx_cache

from runtime.library.gguf_header import GgufArray
from runtime.library.gguf_keys import GgufConfig
from runtime.library.gguf_kv import gguf_kv_layers
from runtime.library.keys import Keys
from runtime.library.packed_weights import Weights
from runtime.library.recurrent_state import gguf_recurrent_state_bytes, mlx_recurrent_state_bytes
from runtime.library.tensors import TensorInfo

Config = dict[str, object]
COMMON: Config = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 128,
    "rope_theta": 10_000.0,
}
MODELS: dict[str, Config] = {
    "qwen3_next": {
        "linear_num_value_heads": 4,
        "linear_num_key_heads": 2,
        "linear_key_head_dim": 32,
        "linear_value_head_dim": 16,
        "linear_conv_kernel_dim": 4,
        "num_experts": 0,
        "num_experts_per_tok": 0,
        "decoder_sparse_step": 1,
        "shared_expert_intermediate_size": 32,
        "mlp_only_layers": [0, 1],
        "moe_intermediate_size": 32,
        "partial_rotary_factor": 0.5,
        "head_dim": 16,
        "full_attention_interval": 2,
    },
    "granitemoehybrid": {
        "attention_bias": False,
        "embedding_multiplier": 1.0,
        "attention_multiplier": 1.0,
        "logits_scaling": 1.0,
        "residual_multiplier": 1.0,
        "layer_types": ["mamba", "attention"],
        "mamba_n_heads": 4,
        "mamba_d_head": 32,
        "mamba_d_state": 16,
        "mamba_d_conv": 4,
        "mamba_n_groups": 1,
        "mamba_proj_bias": False,
        "mamba_conv_bias": True,
        "shared_intermediate_size": 64,
    },
    "mamba2": {
        "num_heads": 4,
        "head_dim": 32,
        "state_size": 16,
        "conv_kernel": 4,
        "expand": 2,
        "n_groups": 1,
        "use_bias": False,
        "use_conv_bias": True,
        "time_step_limit": [0.001, 100.0],
        "time_step_rank": "auto",
        "residual_in_fp32": False,
        "rms_norm": True,
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": True,
    },
    "lfm2": {
        "norm_eps": 1e-5,
        "conv_bias": False,
        "conv_L_cache": 3,
        "block_dim": 64,
        "block_ff_dim": 64,
        "block_multiple_of": 32,
        "block_ffn_dim_multiplier": 1.0,
        "block_auto_adjust_ff_dim": True,
        "layer_types": ["conv", "full_attention"],
    },
}


class LayerCache(Protocol):
    """What mlx-lm keeps for one layer."""

    @property
    def state(self) -> object:
        """Its arrays."""
        ...


make_cache: Callable[[Module], list[LayerCache]] = mlx_cache.make_prompt_cache


def kept_bytes(model: Module, tokens: int) -> int:
    """Return what the layers that are no attention keep once `tokens` tokens went through the model."""
    caches = make_cache(model)
    evaluate: Callable[..., mx.array] = model.__call__
    mx.eval(evaluate(mx.array([[1] * tokens]), cache=caches), [one.state for one in caches])
    recurrent = [one for one in caches if isinstance(one, mlx_cache.ArraysCache)]
    assert recurrent
    return sum(int(one.nbytes) for one in recurrent)


@pytest.mark.parametrize("architecture", MODELS)
def test_agrees_with_what_mlx_keeps_whatever_the_context(architecture: str) -> None:
    config = {"model_type": architecture, **COMMON, **MODELS[architecture]}
    module = importlib.import_module(f"mlx_lm.models.{architecture}")
    model: Module = module.Model(module.ModelArgs.from_dict(config))
    parameters: Callable[[], object] = model.parameters
    arrays: dict[str, mx.array] = dict(tree_flatten(parameters()))
    weights = [Weights(name, "F32", array.size, tuple(array.shape), packed=False) for name, array in arrays.items()]

    counted = mlx_recurrent_state_bytes(weights, Keys(Path("config.json"), config), 4)

    assert counted > 0
    assert counted == kept_bytes(model, 5) == kept_bytes(model, 50)


def test_a_model_of_attention_alone_keeps_no_state() -> None:
    names = ("model.layers.0.self_attn.k_proj.weight", "vision.layers.0.conv1d.weight", "mtp.layers.0.conv1d.weight")
    weights = [Weights(name, "F32", 64, (8, 4, 2), packed=False) for name in names]

    assert mlx_recurrent_state_bytes(weights, Keys(Path("config.json"), {}), 2) == 0


def gguf_config(state_elements: int) -> GgufConfig:
    """Return four layers, all of which name key heads."""
    return GgufConfig(
        architecture="qwen3next",
        layers=4,
        hidden_size=64,
        feed_forward_size=None,
        attention_heads=(4,) * 4,
        kv_heads=(2,) * 4,
        key_dim=16,
        value_dim=16,
        latent=False,
        context_tokens=None,
        window_tokens=None,
        window_pattern=None,
        predicting_layers=0,
        shared_kv_layers=0,
        state_elements=state_elements,
        experts=None,
        tokens=GgufArray(element_type=8, count=0, offset=0),
    )


def tensor(name: str, *shape: int) -> TensorInfo:
    return TensorInfo(name, "F32", shape, 4, 0)


def test_a_gguf_hybrid_keeps_keys_in_some_layers_and_states_in_the_others() -> None:
    """llama.cpp: (kernel - 1) × (inner + 2 × groups × state) and inner × state a recurrent layer, 4 bytes each."""
    inner, groups, state = 128, 2, 32
    channels = inner + 2 * groups * state
    recurrent = [tensor(f"blk.{layer}.ssm_conv1d.weight", channels, 4) for layer in (0, 1, 2)]
    tensors = [*recurrent, tensor("blk.3.attn_k.weight", 32, 64), tensor("blk.0.attn_qkv.weight", 64, 64)]
    config = gguf_config(inner * state)

    assert gguf_recurrent_state_bytes(config, tensors) == 3 * (3 * channels + inner * state) * 4
    assert [run.layers for run in gguf_kv_layers(config, tensors)] == [1]
    assert [run.layers for run in gguf_kv_layers(config, [tensor("blk.0.attn_k.weight", 32, 64)])] == [4]


def test_short_convolutions_keep_their_inputs_alone() -> None:
    tensors = [tensor("blk.0.shortconv.conv.weight", 64, 3), tensor("blk.1.attn_k.weight", 32, 64)]

    assert gguf_recurrent_state_bytes(gguf_config(0), tensors) == 2 * 64 * 4
    assert [run.layers for run in gguf_kv_layers(gguf_config(0), tensors)] == [1]
