"""The quantization's name, as users know it, and the effective bits per weight: both from the tensors.

A file's name or its own label may say anything. The name is that of the type that holds most weights; where a GGUF
file's label (Q4_K_M, say) agrees with that type, the label is the name, because it says more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from runtime.library.gguf_types import FILE_TYPES
from runtime.library.packed_weights import Weights
from runtime.library.tensors import TensorInfo
from runtime.values.model import Quantization

FLOAT_NAMES = {
    "F64": "FP64",
    "F32": "FP32",
    "F16": "FP16",
    "F8_E4M3": "FP8",
    "F8_E5M2": "FP8",
    "I8": "INT8",
}
"""Stored types to the names users know; any other type is its own name (BF16, Q8_0)."""

BLOCK_PREFIX = "blk."


def bits_per_weight(size_bytes: int, parameters: int) -> float:
    """Return file bits ÷ parameters, scales and everything else that is loaded included."""
    return size_bytes * 8 / parameters if parameters else 0.0


def mlx_quantization(weights: Sequence[Weights], size_bytes: int) -> Quantization:
    """Return name and bits per weight of an MLX model.

    Quantized matrices name it (INT4), and "mixed" says that there is more than one width. Without any, the type that
    holds most weights does (BF16).
    """
    packed = _parameters_by_scheme([one for one in weights if one.packed])
    schemes = packed or _parameters_by_scheme(weights)
    dominant = schemes.most_common(1)[0][0] if schemes else "unknown"
    name = FLOAT_NAMES.get(dominant, dominant)
    if len(packed) > 1:
        name += " mixed"
    return Quantization(name, bits_per_weight(size_bytes, sum(one.parameters for one in weights)))


def gguf_quantization(tensors: Sequence[TensorInfo], file_type: int | None) -> Quantization:
    """Return name and bits per weight of a GGUF model whose label (`general.file_type`) is `file_type`.

    Only the blocks' matrices vote: in a small model the embedding alone, often stored in a wider type, can outweigh
    everything else.
    """
    matrices = [tensor for tensor in tensors if len(tensor.shape) > 1]
    voters = [tensor for tensor in matrices if tensor.name.startswith(BLOCK_PREFIX)] or matrices or list(tensors)
    votes: Counter[str] = Counter()
    for tensor in voters:
        votes[tensor.dtype] += tensor.elements
    dominant = votes.most_common(1)[0][0] if votes else "unknown"
    label, expected = FILE_TYPES.get(-1 if file_type is None else file_type, ("", frozenset()))
    name = label if dominant in expected else FLOAT_NAMES.get(dominant, dominant)
    size_bytes = sum(tensor.size_bytes for tensor in tensors)
    return Quantization(name, bits_per_weight(size_bytes, sum(tensor.elements for tensor in tensors)))


def _parameters_by_scheme(weights: Sequence[Weights]) -> Counter[str]:
    schemes: Counter[str] = Counter()
    for one in weights:
        schemes[one.scheme] += one.parameters
    return schemes
