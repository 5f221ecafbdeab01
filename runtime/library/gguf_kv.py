"""What the KV cache of a GGUF model consists of, layer by layer, as llama.cpp lays it out."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.library.gguf_keys import GgufConfig
from runtime.library.recurrent_state import gguf_layers_with_keys
from runtime.library.spec import KvLayers, joined
from runtime.library.tensors import TensorInfo

WINDOW_PERIODS = {
    "afmoe": 4,
    "cohere2": 4,
    "exaone4": 4,
    "gemma2": 2,
    "gemma3": 6,
    "gemma3n": 5,
    "gpt-oss": 2,
    "olmo2": 4,
    "plamo3": 8,
}
"""Architectures whose sliding layers are written in llama.cpp, not in the file: one layer in so many slides not.

An architecture that is not listed, in a file that does not say which layers slide, counts as if none did.
"""


def gguf_kv_layers(config: GgufConfig, tensors: Sequence[TensorInfo] = ()) -> tuple[KvLayers, ...]:
    """Return the layers that hold keys and values, equal neighbours taken together.

    Hybrids with recurrent layers tell by their tensors which those are.
    """
    holding = max(0, config.layers - config.predicting_layers - config.shared_kv_layers)
    keyed = gguf_layers_with_keys(tensors)
    indices = (index for index in range(holding) if config.kv_heads[index] and (keyed is None or index in keyed))
    return joined(_layer(config, index) for index in indices)


def _layer(config: GgufConfig, index: int) -> KvLayers:
    return KvLayers(
        layers=1,
        kv_heads=config.kv_heads[index],
        key_dim=config.key_dim,
        value_dim=0 if config.latent else config.value_dim,
        window_tokens=config.window_tokens if _slides(config, index) else None,
    )


def _slides(config: GgufConfig, index: int) -> bool:
    pattern = config.window_pattern
    if isinstance(pattern, tuple):
        return pattern[index]
    period = WINDOW_PERIODS.get(config.architecture) if pattern is None else pattern
    return bool(period) and (index + 1) % (period or 1) != 0
