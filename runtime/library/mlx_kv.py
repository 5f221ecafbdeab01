"""What the KV cache of an MLX model consists of, layer by layer.

The stored key and value projections are the truth where there are any: they say which layers keep keys and values at
all (hybrids of attention and state-space layers) and how wide these are. Fused projections and latent attention are
told by the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from runtime.library.mlx_config import MlxConfig
from runtime.library.packed_weights import Weights
from runtime.library.spec import KvLayers, joined

PROJECTION = re.compile(r"(?:^|\.)layers\.(\d{1,4})\.(?:self_attn|attn|attention|mixer)\.([kv])_proj\.weight$")
NOT_LANGUAGE = re.compile(r"vision|visual|audio|(?:^|\.)mtp\.")

WINDOW_PERIODS = {
    "afmoe": None,
    "cohere2": 4,
    "exaone4": None,
    "exaone_moe": None,
    "gemma3": 6,
    "gemma3_text": 6,
    "gemma3n": None,
    "gemma4": 5,
    "gemma4_text": 5,
    "gpt_oss": 2,
    "laguna": None,
    "llama": None,
    "mellum": None,
    "ministral3": None,
    "mistral": None,
    "mistral3": None,
    "olmo3": 4,
    "plamo3": 8,
    "step3p5": None,
}
"""Architectures for which mlx-lm keeps only the window (`RotatingKVCache`), with the period of layers that keep all.

None: `layer_types` alone tells. Any other architecture keeps the whole context, whatever its configuration says.
"""

EXPANDED_LATENT = frozenset({"deepseek_v2", "minicpm3"})
"""Architectures with latent attention for which mlx-lm caches the expanded keys and values."""


def mlx_kv_layers(config: MlxConfig, weights: Sequence[Weights]) -> tuple[KvLayers, ...]:
    """Return the layers that hold keys and values, equal neighbours taken together."""
    return joined(_layer(config, index, widths) for index, widths in sorted(_widths(config, weights).items()))


def _widths(config: MlxConfig, weights: Sequence[Weights]) -> dict[int, tuple[int, int] | None]:
    """Return for each layer with attention the rows of its key and value projections; None where they are not known."""
    rows: dict[tuple[int, str], int] = {}
    for one in weights:
        found = PROJECTION.search(one.name)
        if found and one.shape and not NOT_LANGUAGE.search(one.name):
            rows[int(found[1]), found[2]] = one.shape[0]
    holding = config.layers - config.shared_kv_layers
    if config.latent_dim or not rows:
        return dict.fromkeys(range(holding)) if config.attention_heads else {}
    keyed = {layer for layer, kind in rows if kind == "k" and layer < holding}
    return {layer: (rows[layer, "k"], rows.get((layer, "v"), rows[layer, "k"])) for layer in keyed}


def _layer(config: MlxConfig, index: int, widths: tuple[int, int] | None) -> KvLayers:
    window = config.window_tokens if _slides(config, index) else None
    if config.latent_dim:
        return _latent_layer(config, config.latent_dim, window)
    heads, dim = config.kv_heads or 1, config.head_dim or 0
    if widths is None or widths == (heads * dim, heads * dim):
        return KvLayers(layers=1, kv_heads=heads, key_dim=dim, value_dim=dim, window_tokens=window)
    if widths[0] % heads == 0 and widths[1] % heads == 0:
        key, value = widths[0] // heads, widths[1] // heads
        return KvLayers(layers=1, kv_heads=heads, key_dim=key, value_dim=value, window_tokens=window)
    return KvLayers(layers=1, kv_heads=1, key_dim=widths[0], value_dim=widths[1], window_tokens=window)


def _latent_layer(config: MlxConfig, latent_dim: int, window: int | None) -> KvLayers:
    rope = config.rope_dim or 0
    if config.architecture in EXPANDED_LATENT:
        key = (config.latent_key_dim or 0) + rope
        value = config.value_dim or key
        heads = config.attention_heads or 1
        return KvLayers(layers=1, kv_heads=heads, key_dim=key, value_dim=value, window_tokens=window)
    return KvLayers(layers=1, kv_heads=1, key_dim=latent_dim, value_dim=rope, window_tokens=window)


def _slides(config: MlxConfig, index: int) -> bool:
    if config.architecture not in WINDOW_PERIODS or config.window_tokens is None:
        return False
    if config.layer_types:
        return config.layer_types[index] == "sliding_attention"
    period = config.window_period or WINDOW_PERIODS[config.architecture]
    return period is not None and (index + 1) % period != 0
