"""Whether the tensors of a GGUF model have the shapes that its metadata asks for.

llama.cpp checks most of this too, but some mismatches end its process. Every architecture has its embedding and its
number of blocks checked; those built like Llama have every block checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from runtime.library.defects import broken
from runtime.library.gguf_keys import GgufConfig
from runtime.library.tensors import TensorInfo, check_shape

EMBEDDING = "token_embd.weight"
LLAMA_LIKE = frozenset({"llama", "qwen2", "qwen3"})
BLOCK_NAME = re.compile(r"(?:enc\.|dec\.)?blk\.(\d{1,9})\.")
ATTENTION = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output")
FEED_FORWARD = ("ffn_norm", "ffn_gate", "ffn_up", "ffn_down")
FUSED_ATTENTION = "attn_qkv"


def check_gguf_shapes(path: Path, config: GgufConfig, tensors: Sequence[TensorInfo]) -> None:
    """Check the tensors of the file `path`.

    Raises:
        ModelBrokenError: one is missing or has another shape; the text names it.
    """
    by_name = {tensor.name: tensor for tensor in tensors}
    embedding = by_name.get(EMBEDDING)
    if embedding is None:
        raise broken(path, f"it has no {EMBEDDING}")
    _check(path, embedding, (config.tokens.count, config.hidden_size))
    _check_blocks(path, config, tensors)
    if config.architecture in LLAMA_LIKE:
        _check_outer(path, config, by_name)
        for block in range(config.layers):
            _check_block(path, config, block, by_name)


def _check_blocks(path: Path, config: GgufConfig, tensors: Sequence[TensorInfo]) -> None:
    found = {int(match[1]) for tensor in tensors if (match := BLOCK_NAME.match(tensor.name))}
    missing = sorted(set(range(config.layers - config.predicting_layers)) - found)
    if missing:
        raise broken(path, f"it has no block {missing[0]}, and {config.layers} of them are announced")


def _check_outer(path: Path, config: GgufConfig, by_name: Mapping[str, TensorInfo]) -> None:
    shapes = {
        "output_norm.weight": (config.hidden_size,),
        "output.weight": (config.tokens.count, config.hidden_size),
    }
    for name, shape in shapes.items():
        if name in by_name:
            _check(path, by_name[name], shape)
        elif name == "output_norm.weight":
            raise broken(path, f"it has no {name}")


def _check_block(path: Path, config: GgufConfig, block: int, by_name: Mapping[str, TensorInfo]) -> None:
    shapes = _block_shapes(config, block)
    required = list(ATTENTION) if config.attention_heads[block] else []
    required += FEED_FORWARD if config.experts is None and config.feed_forward_size else []
    if f"blk.{block}.{FUSED_ATTENTION}.weight" in by_name:
        required = []
    for part in required:
        if f"blk.{block}.{part}.weight" not in by_name:
            raise broken(path, f"block {block} has no {part}")
    for part, shape in shapes.items():
        tensor = by_name.get(f"blk.{block}.{part}.weight")
        if tensor is not None:
            _check(path, tensor, shape)


def _block_shapes(config: GgufConfig, block: int) -> dict[str, tuple[int | None, ...]]:
    hidden, heads, kv_heads = config.hidden_size, config.attention_heads[block], config.kv_heads[block]
    inner = config.feed_forward_size[block] if config.feed_forward_size else None
    return {
        "attn_norm": (hidden,),
        "ffn_norm": (hidden,),
        "attn_q_norm": (config.key_dim,),
        "attn_k_norm": (config.key_dim,),
        "attn_q": (heads * config.key_dim, hidden),
        "attn_k": (kv_heads * config.key_dim, hidden),
        "attn_v": (kv_heads * config.value_dim, hidden),
        "attn_output": (hidden, heads * config.value_dim),
        "ffn_gate": (inner, hidden),
        "ffn_up": (inner, hidden),
        "ffn_down": (hidden, inner),
    }


def _check(path: Path, tensor: TensorInfo, expected: tuple[int | None, ...]) -> None:
    check_shape(path, tensor.name, tensor.shape, expected, "the metadata")
