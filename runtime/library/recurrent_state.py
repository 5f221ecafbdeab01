"""What layers keep that have a recurrent state instead of keys and values: the same for a context of any length.

Such a layer keeps two things: the last inputs of a short convolution, and the state itself.

    bytes = (kernel − 1) × channels × bytes per activation  +  heads × head width × state width × 4

The convolution's stored weights say kernel and channels, and which layers have one (Mamba, Mamba 2, gated delta nets,
LFM2's short convolutions). The state is in 32 bits with both engines; MLX tells its heads by `A_log` and its widths by
the configuration, a GGUF file by the keys `ssm.inner_size` × `ssm.state_size`. Of architectures that keep a state of
another kind (RWKV, lightning attention) nothing is counted: it is small next to the weights.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from runtime.library.gguf_keys import GgufConfig
from runtime.library.keys import Keys
from runtime.library.packed_weights import Weights
from runtime.library.tensors import TensorInfo

STATE_BYTES = 4
MAX_WIDTH = 1 << 22
MLX_CONVOLUTION = re.compile(r"(?:^|\.)layers\.\d{1,4}\..*(?:conv1d|[a-z_]*conv\.conv|short_conv\.conv)\.weight$")
MLX_DECAY = re.compile(r"(?:^|\.)layers\.\d{1,4}\..*\.A_log$")
NOT_LANGUAGE = re.compile(r"vision|visual|audio|(?:^|\.)mtp\.")
GGUF_CONVOLUTION = re.compile(r"blk\.(\d{1,4})\.(?:ssm_conv1d(?:_[qkv])?|shortconv\.conv)\.weight")
GGUF_KEYS = re.compile(r"blk\.(\d{1,4})\.attn_(?:k|kv_a_mqa)\.weight")
HEAD_WIDTHS = ("linear_value_head_dim", "mamba_d_head", "mamba_head_dim", "hidden_size_per_head", "head_dim")
STATE_WIDTHS = ("linear_key_head_dim", "mamba_d_state", "ssm_state_size", "state_size")


def mlx_recurrent_state_bytes(weights: Sequence[Weights], config: Keys, activation_bytes: int) -> int:
    """Return what all recurrent layers of an MLX model keep of one sequence.

    Args:
        weights: the model's.
        config: its configuration.
        activation_bytes: bytes of an activation.
    """
    ours = [one for one in weights if one.shape and not NOT_LANGUAGE.search(one.name)]
    convolutions = [one.shape for one in ours if one.shape and MLX_CONVOLUTION.search(one.name)]
    decays = [one.shape for one in ours if one.shape and MLX_DECAY.search(one.name)]
    states = sum(_state_elements(shape, config) for shape in decays)
    return _convolved_elements(convolutions) * activation_bytes + states * STATE_BYTES


def gguf_recurrent_state_bytes(config: GgufConfig, tensors: Iterable[TensorInfo]) -> int:
    """Return what all recurrent layers of a GGUF model keep of one sequence: llama.cpp keeps all of it in 32 bits."""
    convolutions = [tensor for tensor in tensors if GGUF_CONVOLUTION.fullmatch(tensor.name)]
    layers = {tensor.name.split(".")[1] for tensor in convolutions if "ssm" in tensor.name}
    states = len(layers) * config.state_elements
    return (_convolved_elements([tensor.shape for tensor in convolutions]) + states) * STATE_BYTES


def gguf_layers_with_keys(tensors: Sequence[TensorInfo]) -> frozenset[int] | None:
    """Return which layers of a hybrid keep keys and values; None where every layer that has heads does."""
    if not any(GGUF_CONVOLUTION.fullmatch(tensor.name) for tensor in tensors):
        return None
    found = (GGUF_KEYS.fullmatch(tensor.name) for tensor in tensors)
    return frozenset(int(one[1]) for one in found if one)


def _convolved_elements(shapes: Iterable[tuple[int, ...]]) -> int:
    """Return the inputs that convolutions keep; each has a weight for every channel and place of its kernel."""
    return sum(math.prod(shape) - shape[0] for shape in shapes)


def _state_elements(decay: tuple[int, ...], config: Keys) -> int:
    """Return the elements of one layer's state, whose decay is told for each of them or for each head."""
    wide = [size for size in decay if size > 1]
    if len(wide) > 1:
        return math.prod(wide)
    head = config.whole(*HEAD_WIDTHS, most=MAX_WIDTH) or _linear_head(config)
    state = config.whole(*STATE_WIDTHS, most=MAX_WIDTH) or _linear_head(config)
    return math.prod(decay) * (head or 0) * (state or 0)


def _linear_head(config: Keys) -> int | None:
    """Return the width of heads whose keys and values are as wide (Kimi's delta attention)."""
    value = config.table("linear_attn_config").get("head_dim")
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_WIDTH else None
