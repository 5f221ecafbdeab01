"""MLX directories with the very weights of a random GGUF file, so that both engines can be asked the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import gguf
import mlx.core as mx
import msgspec
import numpy as np
from tokenizers import Tokenizer

from tests.models.random_gguf import GgufRecipe, write_random_gguf

LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "ffn_gate_inp": "mlp.gate",
    "ffn_gate_exps": "mlp.switch_mlp.gate_proj",
    "ffn_up_exps": "mlp.switch_mlp.up_proj",
    "ffn_down_exps": "mlp.switch_mlp.down_proj",
}
GEMMA_NAMES = {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
OUTER_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
NORMED_HEADS = ("attn_q_norm", "attn_k_norm")
WITH_NORMED_HEADS = frozenset({"qwen3", "qwen3moe", "gemma3"})
MODEL_TYPES = {"qwen3moe": "qwen3_moe", "gemma3": "gemma3_text"}
CLASS_NAMES = {"qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM"}
WINDOW_PERIOD = 6
GROUP_SIZE = 64


def write_random_mlx(
    folder: Path,
    recipe: GgufRecipe = GgufRecipe(),  # noqa: B008 - frozen
    *,
    dtype: mx.Dtype = mx.float32,
    quantized_bits: int | None = None,
) -> Tokenizer:
    """Write what `recipe` describes as an MLX directory; return its tokenizer.

    The numbers are those of `write_random_gguf` with the same recipe in F32, rounded to `dtype` or quantized (affine,
    groups of 64) where asked. `recipe.architecture` becomes the `model_type`, in MLX's spelling where that is another.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        source = Path(scratch) / "source.gguf"
        tokenizer = write_random_gguf(source, msgspec.structs.replace(recipe, weights="F32"))
        if recipe.with_tokenizer:
            shutil.copytree(source.with_suffix(".tokenizer"), folder, dirs_exist_ok=True)
        weights = _weights(source, recipe.architecture, dtype, quantized_bits)
    mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "mlx"})
    vocabulary_size = weights["model.embed_tokens.weight"].shape[0]
    (folder / "config.json").write_text(_config(recipe, vocabulary_size, quantized_bits), encoding="utf-8")
    if recipe.with_tokenizer:
        _write_chat_template(folder / "chat_template.jinja", recipe.chat_template)
    return tokenizer


def _weights(source: Path, architecture: str, dtype: mx.Dtype, bits: int | None) -> dict[str, mx.array]:
    weights: dict[str, mx.array] = {}
    for tensor in gguf.GGUFReader(source).tensors:
        if architecture not in WITH_NORMED_HEADS and any(name in tensor.name for name in NORMED_HEADS):
            continue
        name = _mlx_name(tensor.name, architecture)
        value = mx.array(np.array(tensor.data)).astype(dtype)
        if architecture == "gemma3" and value.ndim == 1:
            value = value - 1  # MLX adds the 1 that llama.cpp finds in the file.
        if bits is not None and value.ndim > 1:
            packed, scales, biases = mx.quantize(value, group_size=GROUP_SIZE, bits=bits)
            weights |= {f"{name}.weight": packed, f"{name}.scales": scales, f"{name}.biases": biases}
        else:
            weights[f"{name}.weight"] = value
    return weights


def _mlx_name(gguf_name: str, architecture: str) -> str:
    """Return the name MLX gives to the tensor, without the ".weight" at its end."""
    names = {**LAYER_NAMES, **GEMMA_NAMES} if architecture == "gemma3" else LAYER_NAMES
    match gguf_name.split("."):
        case ["blk", layer, kind, _]:
            return f"model.layers.{layer}.{names[kind]}"
        case [kind, _]:
            return OUTER_NAMES[kind]
        case _:
            raise ValueError(gguf_name)


def _config(recipe: GgufRecipe, vocabulary_size: int, bits: int | None) -> str:
    config: dict[str, object] = {
        "model_type": MODEL_TYPES.get(recipe.architecture, recipe.architecture),
        "architectures": [CLASS_NAMES.get(recipe.architecture, "UnknownForCausalLM")],
        "hidden_size": recipe.hidden,
        "num_hidden_layers": recipe.layers,
        "intermediate_size": recipe.feed_forward,
        "num_attention_heads": recipe.heads,
        "num_key_value_heads": recipe.kv_heads,
        "head_dim": recipe.head_dim,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "vocab_size": vocabulary_size,
        "max_position_embeddings": recipe.context_tokens,
        "tie_word_embeddings": recipe.architecture == "gemma3",
        "hidden_act": "silu",
    }
    if recipe.experts:
        config |= {
            "num_experts": recipe.experts,
            "num_experts_per_tok": recipe.active_experts,
            "moe_intermediate_size": recipe.feed_forward,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "norm_topk_prob": True,
        }
    if recipe.window_tokens is not None:
        config |= {
            "sliding_window": recipe.window_tokens,
            "sliding_window_pattern": WINDOW_PERIOD,
            "query_pre_attn_scalar": recipe.head_dim,
        }
    if bits is not None:
        config["quantization"] = {"group_size": GROUP_SIZE, "bits": bits, "mode": "affine"}
    return json.dumps(config, indent=2)


def _write_chat_template(file: Path, source: str | None) -> None:
    if source is None:
        file.unlink()
    else:
        file.write_text(source, encoding="utf-8")
