"""What writing one token reads of a model, from its tensor table: every byte that takes part in it, counted once.

All weights, less

- the token embedding where another matrix computes the logits: of it one row is looked up. A tied embedding computes
  the logits too and is read whole. Tables of positions and of per-layer embeddings are only ever looked up;
- experts beyond those that a token uses;
- parts that text does not pass through (vision, audio) and layers that only predict further tokens.

Reading a prompt multiplies each of its tokens with less: logits are wanted of the last one alone, so neither the matrix
that computes them nor the MLP of the last layer meets the others. llama.cpp leaves both out, and so does MLX, which
computes only what somebody asks for.

Where the tables or the experts cannot be told from the rest, the answer is that it is not known.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from runtime.library.fit import kv_token_bytes
from runtime.library.spec import ModelSpec
from runtime.library.tensors import TensorInfo
from runtime.values.memory_reads import DecodeReads, KvReads

BLOCK = re.compile(r"(?:^|\.)(?:layers|blk|blocks|h)\.(\d{1,5})\.")
EXPERTS = re.compile(r"(?:^|\.)(?:experts|switch_mlp|switch_glu)\.|_(?:ch)?exps\.|\.ffn_(?:gate|up|down)\.\d+\.")
ATTENTION = re.compile(r"attn|attention")
MLP = re.compile(r"\.ffn_(?!norm)|\.(?:mlp|feed_forward|block_sparse_moe|switch_mlp|switch_glu|experts)\.")
NOT_TEXT = re.compile(r"vision|visual|audio|multi_modal_projector|(?:^|\.)mtp\.|^(?:v|mm)\.")
PREDICTING = re.compile(r"\.nextn\.")
LOOKED_UP = frozenset({"wpe", "embed_positions", "position_embd", "embed_tokens_per_layer", "per_layer_token_embd"})
TOKEN_EMBEDDINGS = frozenset(
    {
        "embed",
        "embed_in",
        "embed_tokens",
        "embedding",
        "embeddings",
        "tok_embeddings",
        "token_embd",
        "token_embeddings",
        "word_embeddings",
        "wte",
    }
)
STORAGE_SUFFIXES = (".weight", ".scales", ".biases", ".bias")


def decode_reads(spec: ModelSpec, kv_cache_bits: int | None = None) -> DecodeReads | None:
    """Return what writing a token with the model reads; None where its tensors do not tell.

    Args:
        spec: the model.
        kv_cache_bits: 4 or 8 for a quantized KV cache; None for the engine's own 16 or 32.
    """
    weights_bytes = active_weights_bytes(spec)
    if weights_bytes is None:
        return None
    widths: defaultdict[int | None, float] = defaultdict(float)
    for layers in spec.kv_layers:
        widths[layers.window_tokens] += kv_token_bytes(spec, layers, kv_cache_bits)
    kv = tuple(KvReads(token_bytes=width, window_tokens=window) for window, width in widths.items())
    return DecodeReads(weights_bytes=weights_bytes, kv=kv, prompt_weights_bytes=prompt_weights_bytes(spec))


def active_weights_bytes(spec: ModelSpec) -> int | None:
    """Return the bytes of the weights that take part in writing a token; None where the tensors do not tell."""
    found = _read_and_head(spec)
    return None if found is None else _bytes_of(spec, found[0])


def prompt_weights_bytes(spec: ModelSpec) -> int | None:
    """Return the bytes of the weights that each token of a prompt is multiplied with; None as above."""
    found = _read_and_head(spec)
    if found is None:
        return None
    read, head = found
    last = spec.layers - 1
    meeting = [one for one in read if one not in head and not (_block(one) == last and MLP.search(one.name))]
    return _bytes_of(spec, meeting, has_experts=any(_holds_experts(spec, one) for one in meeting))


def _read_and_head(spec: ModelSpec) -> tuple[list[TensorInfo], list[TensorInfo]] | None:
    """Return what is read to write a token, and of that what computes the logits; None where that cannot be told."""
    read = [tensor for tensor in _evaluated(spec) if _part(tensor) not in LOOKED_UP]
    embedding = [tensor for tensor in read if _is_outside_blocks(tensor) and _part(tensor) in TOKEN_EMBEDDINGS]
    if len({_base(tensor) for tensor in embedding}) != 1:
        return None
    head = _head(read, embedding)
    return ([tensor for tensor in read if tensor not in embedding], head) if head else (read, embedding)


def _bytes_of(spec: ModelSpec, read: Sequence[TensorInfo], *, has_experts: bool = True) -> int | None:
    """Return the bytes of `read`, of experts as many as a token uses; None where these cannot be told from the rest.

    `has_experts` says whether a mixture of experts has any of them among `read`.
    """
    experts = [tensor for tensor in read if _holds_experts(spec, tensor)]
    if bool(experts) != (spec.experts is not None and has_experts):
        return None
    experts_bytes = sum(tensor.size_bytes for tensor in experts)
    shared_bytes = sum(tensor.size_bytes for tensor in read) - experts_bytes
    active = spec.experts.active / spec.experts.total if spec.experts is not None else 0.0
    return shared_bytes + round(experts_bytes * active)


def _evaluated(spec: ModelSpec) -> list[TensorInfo]:
    """Return the tensors of the layers that a token passes through, and of what is outside all layers."""
    predicting = {_block(tensor) for tensor in spec.tensors if PREDICTING.search(tensor.name)}
    return [
        tensor
        for tensor in spec.tensors
        if not NOT_TEXT.search(tensor.name)
        and (_is_outside_blocks(tensor) or (_block(tensor) not in predicting and _block(tensor) < spec.layers))
    ]


def _head(tensors: Sequence[TensorInfo], embedding: Sequence[TensorInfo]) -> list[TensorInfo]:
    """Return what besides the embedding has a row for every token: if anything has, that computes the logits."""
    rows = {tensor.shape[0] for tensor in embedding if tensor.shape}
    return [
        tensor
        for tensor in tensors
        if len(tensor.shape) > 1 and tensor.shape[0] in rows and tensor not in embedding and _is_outside_blocks(tensor)
    ]


def _holds_experts(spec: ModelSpec, tensor: TensorInfo) -> bool:
    """Return whether a tensor holds experts: by its name, or because it is a stack of as many matrices."""
    if _is_outside_blocks(tensor):
        return False
    if EXPERTS.search(tensor.name):
        return True
    stacked = spec.experts is not None and len(tensor.shape) > 2 and tensor.shape[0] == spec.experts.total
    return stacked and not ATTENTION.search(tensor.name)  # Latent attention stacks as many matrices as there are heads.


def _is_outside_blocks(tensor: TensorInfo) -> bool:
    return BLOCK.search(tensor.name) is None


def _block(tensor: TensorInfo) -> int:
    """Return the layer a tensor belongs to; -1 for none."""
    found = BLOCK.search(tensor.name)
    return int(found[1]) if found else -1


def _base(tensor: TensorInfo) -> str:
    """Return a tensor's name without the kind of what it stores."""
    for suffix in STORAGE_SUFFIXES:
        if tensor.name.endswith(suffix):
            return tensor.name.removesuffix(suffix)
    return tensor.name


def _part(tensor: TensorInfo) -> str:
    """Return the last word of a tensor's name: what part of the model it is."""
    return _base(tensor).rpartition(".")[2]
