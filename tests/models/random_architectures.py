"""Models of architectures whose KV cache is not just keys and values of the whole context, with random weights."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx.utils import tree_flatten

from tests.models.tiny_tokenizer import write_tokenizer

Config = dict[str, object]

COMMON: Config = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "rms_norm_eps": 1e-5,
    "vocab_size": 416,
    "rope_theta": 10000.0,
    "max_position_embeddings": 1024,
}
SLIDING_WINDOW: Config = {
    "model_type": "gemma3_text",
    "sliding_window": 32,
    "sliding_window_pattern": 2,
    "query_pre_attn_scalar": 32,
}
MIXTURE_OF_EXPERTS: Config = {
    "model_type": "qwen3_moe",
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "moe_intermediate_size": 64,
    "norm_topk_prob": True,
    "tie_word_embeddings": False,
}
RECURRENT_STATE: Config = {
    "model_type": "lfm2",
    "norm_eps": 1e-5,
    "conv_bias": False,
    "conv_L_cache": 3,
    "block_dim": 64,
    "block_ff_dim": 64,
    "block_multiple_of": 8,
    "block_ffn_dim_multiplier": 1.0,
    "block_auto_adjust_ff_dim": False,
    "full_attn_idxs": [1],
}
LATENT_ATTENTION: Config = {
    "model_type": "deepseek_v3",
    "num_key_value_heads": 4,
    "kv_lora_rank": 32,
    "q_lora_rank": None,
    "qk_rope_head_dim": 16,
    "v_head_dim": 32,
    "qk_nope_head_dim": 16,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
}


def write_random_architecture(folder: Path, config: Config) -> None:
    """Write a model of the architecture that `config` names; mlx-lm's own class says which tensors it has."""
    config = {**COMMON, **config}
    write_tokenizer(folder)
    architecture = importlib.import_module(f"mlx_lm.models.{config['model_type']}")
    network: Module = architecture.Model(architecture.ModelArgs.from_dict(config))
    parameters: Callable[[], object] = network.parameters
    shapes = {name: array.shape for name, array in dict(tree_flatten(parameters())).items()}
    weights = {
        name: mx.ones(shape) if "norm" in name else 0.1 * mx.random.normal(shape, key=mx.random.key(index))
        for index, (name, shape) in enumerate(sorted(shapes.items()))
    }
    mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "mlx"})
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
