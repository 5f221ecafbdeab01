"""What a model is: everything that its headers say, as one frozen value. `reader` makes it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import msgspec

from runtime.library.tensors import TensorInfo
from runtime.values.model import ModelFormat, Quantization


class KvLayers(msgspec.Struct, frozen=True, kw_only=True):
    """Layers whose part of the KV cache has the same form.

    A token takes `kv_heads` × (`key_dim` + `value_dim`) elements in each of them.

    Attributes:
        layers: how many there are.
        kv_heads: heads that keep keys and values.
        key_dim: elements of one key.
        value_dim: elements of one value; 0 where the value is part of what the key holds (latent attention).
        window_tokens: tokens they look back at most; None: the whole context.
    """

    layers: int
    kv_heads: int
    key_dim: int
    value_dim: int
    window_tokens: int | None = None


def joined(layers: Iterable[KvLayers]) -> tuple[KvLayers, ...]:
    """Return single layers with equal neighbours taken together."""
    runs = ((first, len(list(run))) for first, run in groupby(layers))
    return tuple(msgspec.structs.replace(first, layers=count) for first, count in runs)


class Experts(msgspec.Struct, frozen=True):
    """A mixture of experts: how many of them a token uses, and how many there are, in each layer that has any."""

    active: int
    total: int


class ChatTemplate(msgspec.Struct, frozen=True):
    """A chat template besides the default one: its name and its Jinja source."""

    name: str
    source: str


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A model on disk. None means that the files do not say.

    Attributes:
        name: what the user calls it.
        path: the MLX directory, or the (first) GGUF file.
        format: which of the two.
        architecture: `model_type` of config.json, or `general.architecture`.
        parameters: number of weights, packed ones unpacked, from the tensors.
        weights_bytes: bytes of all tensors that are loaded.
        quantization: the name users know, and effective bits per weight (file bits ÷ parameters).
        context_tokens: the context the model was made for.
        layers: transformer blocks.
        hidden_size: width of the residual stream.
        attention_heads: query heads of the first attention layer.
        kv_heads: heads with keys and values of the first attention layer.
        head_dim: width of its keys.
        vocabulary_size: rows of the embedding; every token id must be below.
        kv_layers: what the KV cache consists of; empty for models without attention.
        kv_element_bytes: bytes of one unquantized element in the KV cache.
        recurrent_state_bytes: what layers that keep a state instead of keys and values keep of one sequence.
        sliding_window_tokens: window of the layers that have one.
        experts: for mixtures of experts.
        license: as the model card names it.
        chat_template: Jinja source of the default chat template.
        named_chat_templates: further ones, by name.
        bos_token: text of the beginning-of-sequence token.
        eos_token: text of the end-of-sequence token.
        end_token_ids: ids that end a reply.
        add_bos: whether the tokenizer puts `bos_token` first.
        tensors: the tensor table.
        is_demo: True for the model that ships with the app.
    """

    name: str
    path: Path
    format: ModelFormat
    architecture: str
    parameters: int
    weights_bytes: int
    quantization: Quantization
    context_tokens: int | None
    layers: int
    hidden_size: int | None
    attention_heads: int | None
    kv_heads: int | None
    head_dim: int | None
    vocabulary_size: int
    kv_layers: tuple[KvLayers, ...]
    kv_element_bytes: int
    recurrent_state_bytes: int = 0
    sliding_window_tokens: int | None
    experts: Experts | None
    license: str | None
    chat_template: str | None
    named_chat_templates: tuple[ChatTemplate, ...]
    bos_token: str | None
    eos_token: str | None
    end_token_ids: tuple[int, ...]
    add_bos: bool | None
    tensors: tuple[TensorInfo, ...]
    is_demo: bool
