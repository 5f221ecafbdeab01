"""config.json of an MLX directory, read into a typed value with every number bounded."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from runtime.library.defects import broken, shown, unsupported
from runtime.library.keys import Keys
from runtime.library.spec import Experts

MAX_LAYERS = 1024
MAX_HEADS = 65_536
MAX_WIDTH = 1 << 22
MAX_VOCABULARY = 1 << 24
MAX_EXPERTS = 1 << 16

ARCHITECTURE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What a module of mlx-lm can be called. The name is imported, so nothing else may get through."""


class MlxConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What config.json says of the language model; None where it says nothing.

    Attributes:
        architecture: `model_type`.
        layers: transformer blocks.
        hidden_size: width of the residual stream.
        feed_forward_size: width inside the MLP.
        attention_heads: query heads.
        kv_heads: heads that keep keys and values.
        head_dim: width of a head.
        vocabulary_size: token ids.
        context_tokens: the context the model was made for.
        window_tokens: width of sliding-window attention.
        window_period: one layer in so many looks at the whole context.
        layer_types: "full_attention", "sliding_attention" … for each layer.
        shared_kv_layers: last layers that reuse the keys and values of earlier ones.
        latent_dim: width of compressed keys and values (multi-head latent attention).
        rope_dim: width of the part of a latent key that is rotated.
        latent_key_dim: width of the part that is not.
        value_dim: width of a value where it differs from a key's.
        tied_embeddings: whether the output layer is the embedding.
        experts: for mixtures of experts.
    """

    architecture: str
    layers: int
    hidden_size: int | None
    feed_forward_size: int | None
    attention_heads: int | None
    kv_heads: int | None
    head_dim: int | None
    vocabulary_size: int | None
    context_tokens: int | None
    window_tokens: int | None
    window_period: int | None
    layer_types: tuple[str, ...]
    shared_kv_layers: int
    latent_dim: int | None
    rope_dim: int | None
    latent_key_dim: int | None
    value_dim: int | None
    tied_embeddings: bool
    experts: Experts | None


def config_keys(path: Path, config: dict[str, object]) -> Keys:
    """Return look-ups that prefer the language model's own part of a multimodal configuration."""
    text = Keys(path, config).table("text_config", "llm_config", "language_config")
    return Keys(path, text, config)


def read_mlx_config(path: Path, config: dict[str, object]) -> MlxConfig:
    """Read `config`, the content of the file `path`.

    Raises:
        ModelBrokenError: a number is missing or makes no sense.
        ModelUnsupportedError: the architecture's name is none that could be supported.
    """
    keys = config_keys(path, config)
    layers = keys.whole("num_hidden_layers", "n_layer", "n_layers", "num_layers", most=MAX_LAYERS)
    if layers is None:
        raise broken(path, "it does not say how many layers there are")
    hidden = keys.whole("hidden_size", "n_embd", "d_model", "dim", most=MAX_WIDTH)
    heads = keys.whole("num_attention_heads", "n_head", "n_heads", "num_heads", least=0, most=MAX_HEADS)
    types = keys.words("layer_types")
    _check_numbers(path, keys, types, layers)
    return MlxConfig(
        architecture=_architecture(path, config),
        layers=layers,
        hidden_size=hidden,
        feed_forward_size=keys.whole("intermediate_size", "n_inner", most=MAX_WIDTH),
        attention_heads=heads or None,
        kv_heads=keys.whole("num_key_value_heads", "n_head_kv", "num_kv_heads", most=MAX_HEADS) or heads or None,
        head_dim=keys.whole("head_dim", most=MAX_WIDTH) or _head_dim(path, hidden, heads),
        vocabulary_size=keys.whole("vocab_size", "n_vocab", most=MAX_VOCABULARY),
        context_tokens=keys.whole(
            "max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len", "seq_length", "n_ctx"
        ),
        window_tokens=keys.whole("sliding_window"),
        window_period=_window_period(keys),
        layer_types=types,
        shared_kv_layers=keys.whole("num_kv_shared_layers", least=0, most=layers) or 0,
        latent_dim=keys.whole("kv_lora_rank", most=MAX_WIDTH),
        rope_dim=keys.whole("qk_rope_head_dim", least=0, most=MAX_WIDTH),
        latent_key_dim=keys.whole("qk_nope_head_dim", least=0, most=MAX_WIDTH),
        value_dim=keys.whole("v_head_dim", most=MAX_WIDTH),
        tied_embeddings=keys.flag("tie_word_embeddings") is True,
        experts=_experts(path, keys),
    )


def _architecture(path: Path, config: dict[str, object]) -> str:
    name = config.get("model_type")
    if not isinstance(name, str) or not name:
        raise broken(path, "it does not name the architecture (model_type)")
    if not ARCHITECTURE_NAME.fullmatch(name):
        raise unsupported(path, f"there is no architecture called {shown(name)}")
    return name


def _head_dim(path: Path, hidden: int | None, heads: int | None) -> int | None:
    if not hidden or not heads:
        return None
    if hidden < heads:
        raise broken(path, f"a width of {hidden:,} cannot be split over {heads:,} heads")
    return hidden // heads


def _window_period(keys: Keys) -> int | None:
    """Return `sliding_window_pattern` where it is a number; some models write a word ("LLLG") instead."""
    value = keys.value("sliding_window_pattern", "_sliding_window_pattern")
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_LAYERS else None


def _check_numbers(path: Path, keys: Keys, types: tuple[str, ...], layers: int) -> None:
    """Check numbers that nothing here needs, but that engines divide by or take roots of."""
    keys.number("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", most=1.0)
    if keys.number("rope_theta") == 0.0:
        raise broken(path, "rope_theta is 0")
    if types and len(types) < layers:
        raise broken(path, f"it types {len(types):,} of {layers:,} layers")


def _experts(path: Path, keys: Keys) -> Experts | None:
    total = keys.whole("num_experts", "num_local_experts", "n_routed_experts", least=0, most=MAX_EXPERTS)
    active = keys.whole("num_experts_per_tok", "top_k_experts", "moe_topk", least=0, most=MAX_EXPERTS)
    if not total or not active:
        return None
    if active > total:
        raise broken(path, f"a token cannot use {active:,} of {total:,} experts")
    return Experts(active, total)
