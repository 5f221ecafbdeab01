"""Whether the tensors of an MLX model have the shapes that its configuration asks for.

A mismatch is told here, in plain words, before native code sees the file. Every architecture has its embedding checked;
those built like Llama have every layer checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from runtime.library.defects import broken
from runtime.library.mlx_config import MlxConfig
from runtime.library.packed_weights import Weights
from runtime.library.tensors import check_shape

LLAMA_LIKE = frozenset({"llama", "mistral", "qwen2", "qwen3"})
EMBEDDINGS = (
    "model.embed_tokens.weight",
    "language_model.model.embed_tokens.weight",
    "model.language_model.embed_tokens.weight",
    "model.tok_embeddings.weight",
    "backbone.embeddings.weight",
    "backbone.embedding.weight",
    "transformer.wte.weight",
    "transformer.embedding.word_embeddings.weight",
    "model.word_embeddings.weight",
    "gpt_neox.embed_in.weight",
    "wte.weight",
    "embed_tokens.weight",
)
REQUIRED = (
    "input_layernorm",
    "post_attention_layernorm",
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
)


def embedding_of(weights: Sequence[Weights]) -> Weights | None:
    """Return the token embedding, if it goes by one of the usual names."""
    by_name = {one.name: one for one in weights}
    return next((by_name[name] for name in EMBEDDINGS if name in by_name), None)


def check_mlx_shapes(path: Path, config: MlxConfig, weights: Sequence[Weights]) -> None:
    """Check the tensors of the directory `path`.

    Raises:
        ModelBrokenError: one is missing or has another shape; the text names it.
    """
    embedding = embedding_of(weights)
    if embedding is not None and config.vocabulary_size and config.hidden_size:
        _check(path, embedding, (config.vocabulary_size, config.hidden_size))
    if config.architecture in LLAMA_LIKE:
        _check_llama(path, config, {one.name: one for one in weights})


def _check_llama(path: Path, config: MlxConfig, by_name: Mapping[str, Weights]) -> None:
    shapes = _layer_shapes(config)
    for layer in range(config.layers):
        for part in REQUIRED:
            if f"model.layers.{layer}.{part}.weight" not in by_name:
                raise broken(path, f"layer {layer} of {config.layers} has no {part}")
        for part, shape in shapes.items():
            one = by_name.get(f"model.layers.{layer}.{part}.weight")
            if one is not None:
                _check(path, one, shape)
    outer = {"model.norm.weight": (config.hidden_size,), "lm_head.weight": (config.vocabulary_size, config.hidden_size)}
    for name, outer_shape in outer.items():
        if name in by_name:
            _check(path, by_name[name], outer_shape)
        elif name == "model.norm.weight" or not config.tied_embeddings:
            raise broken(path, f"it has no {name}")


def _layer_shapes(config: MlxConfig) -> dict[str, tuple[int | None, ...]]:
    """Return the shapes of a layer's parts; None where the configuration does not say."""
    hidden, inner = config.hidden_size, config.feed_forward_size
    queries = _product(config.attention_heads, config.head_dim)
    keys = _product(config.kv_heads, config.head_dim)
    return {
        "input_layernorm": (hidden,),
        "post_attention_layernorm": (hidden,),
        "self_attn.q_proj": (queries, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, queries),
        "self_attn.q_norm": (config.head_dim,),
        "self_attn.k_norm": (config.head_dim,),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }


def _product(heads: int | None, dim: int | None) -> int | None:
    return heads * dim if heads and dim else None


def _check(path: Path, one: Weights, expected: tuple[int | None, ...]) -> None:
    if one.shape is not None:
        check_shape(path, one.name, one.shape, expected, "the configuration")
