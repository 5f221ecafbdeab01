"""From stored tensors to weights: which tensors hold several weights in one integer, and which are only their scales.

MLX stores a quantized matrix `x` as `x.weight` (32-bit integers), `x.scales` and, for the affine mode, `x.biases`.
Other tools store `x.qweight` with `x.qzeros` (AWQ, GPTQ), `x.weight_packed` (compressed-tensors), `x_blocks` with
`x_scales` (MXFP4 as released for gpt-oss). A parameter count that forgets this is off by a factor of eight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from runtime.library.defects import broken, shown
from runtime.library.keys import Keys
from runtime.library.safetensors_header import ELEMENT_BITS
from runtime.library.tensors import TensorInfo

PACKED_SUFFIXES = (".weight", ".qweight", ".weight_packed", "_blocks")
SIDE_SUFFIXES = (
    ".scales",
    ".biases",
    ".global_scale",
    ".qzeros",
    ".g_idx",
    ".weight_scale",
    ".weight_scale_inv",
    ".weight_scale_2",
    ".weight_zero_point",
    ".weight_shape",
    ".weight_global_scale",
    ".weight_g_idx",
    ".input_scale",
    ".input_global_scale",
    "_scales",
)
SCALE_SUFFIXES = (".scales", ".weight_scale", ".weight_scale_inv", "_scales")
INTEGER_BITS = 32

AFFINE_BITS = (2, 3, 4, 5, 6, 8)
AFFINE_GROUP_SIZES = (16, 32, 64, 128)
FLOAT_MODES = {128: ("MXFP4", 4), 64: ("NVFP4", 4), 256: ("MXFP8", 8)}
"""MLX's float modes by bits × weights in a group; each mode has one pair only."""


class Weights(msgspec.Struct, frozen=True):
    """A tensor as the model sees it.

    Attributes:
        name: its name, the packing's own suffix replaced by ".weight".
        scheme: how it is stored: "BF16", "INT4", "MXFP4" …
        parameters: how many weights it holds.
        shape: its shape once unpacked; None where the packing does not tell.
        packed: whether several weights share an integer, with scales beside them.
    """

    name: str
    scheme: str
    parameters: int
    shape: tuple[int, ...] | None
    packed: bool


class Packing(msgspec.Struct, frozen=True):
    """What config.json says of the packing.

    Attributes:
        scheme: "INT4", "AWQ INT4", "FP8" …; empty: MLX's own, told for each tensor.
        bits: bits of one weight.
        group_size: weights that share a scale (MLX's own).
        overrides: modules that MLX packed in another way.
    """

    scheme: str
    bits: int
    group_size: int
    overrides: Mapping[str, Mapping[str, object]]


def read_packing(path: Path, config: Keys) -> Packing:
    """Return what the configuration in `config` (of the file `path`) says of the packing.

    Raises:
        ModelBrokenError: a width or group size makes no sense.
    """
    table = config.table("quantization") or config.table("quantization_config")
    keys = Keys(path, table)
    bits = keys.whole("bits", "w_bit", most=INTEGER_BITS) or 4
    group_size = keys.whole("group_size", "q_group_size", least=-1, most=1 << 20) or 64
    overrides = {name: value for name, value in table.items() if isinstance(value, dict)}
    scheme, bits = _foreign_scheme(keys, bits)
    return Packing(scheme, bits, group_size, overrides)


def _foreign_scheme(keys: Keys, bits: int) -> tuple[str, int]:
    """Return name and bits of a packing that is not MLX's own; an empty name for MLX's own."""
    method = (keys.text("quant_method") or "").lower()
    layout = (keys.text("format") or keys.text("quant_algo") or "").lower()
    if method in {"awq", "gptq"}:
        return f"{method.upper()} INT{bits}", bits
    if method == "bitnet":
        return "TERNARY", 2
    if method == "bitsandbytes":
        return ("NF4", 4) if keys.flag("load_in_4bit") else ("INT8", 8)
    for name, width in (("nvfp4", 4), ("mxfp4", 4), ("mxfp8", 8), ("fp8", 8), ("float", 8)):
        if name in method or name in layout:
            return ("FP8" if name == "float" else name.upper()), width
    return (f"INT{bits}", bits) if method else ("", bits)


def unpack(path: Path, tensors: Sequence[TensorInfo], packing: Packing) -> tuple[Weights, ...]:
    """Return the weights that `tensors` hold, scales and other helpers left out.

    Raises:
        ModelBrokenError: scales do not fit the matrix they belong to.
    """
    by_name = {tensor.name: tensor for tensor in tensors}
    bases = {tensor.name: _packed_base(tensor, by_name) for tensor in tensors}
    packed = {base for base in bases.values() if base}
    sides = {base + suffix for base in packed for suffix in SIDE_SUFFIXES}
    return tuple(
        _unpacked(path, tensor, bases[tensor.name], by_name, packing) for tensor in tensors if tensor.name not in sides
    )


def _packed_base(tensor: TensorInfo, by_name: Mapping[str, TensorInfo]) -> str:
    """Return the module's name if `tensor` holds packed weights, else an empty text."""
    if tensor.dtype in {"F64", "F32", "F16", "BF16"}:
        return ""
    for suffix in PACKED_SUFFIXES:
        base = tensor.name.removesuffix(suffix)
        if base != tensor.name and any(base + scale in by_name for scale in SCALE_SUFFIXES):
            return base
    return ""


def _unpacked(
    path: Path, tensor: TensorInfo, base: str, by_name: Mapping[str, TensorInfo], packing: Packing
) -> Weights:
    if not base:
        return Weights(tensor.name, tensor.dtype, tensor.elements, tensor.shape, packed=False)
    if not packing.scheme and tensor.dtype == "U32" and base + ".scales" in by_name:
        scheme, bits = _mlx_scheme(path, base, tensor, by_name[base + ".scales"], packing)
        shape = (*tensor.shape[:-1], tensor.shape[-1] * INTEGER_BITS // bits)
        return Weights(f"{base}.weight", scheme, math.prod(shape), shape, packed=True)
    parameters = tensor.elements * ELEMENT_BITS[tensor.dtype] // packing.bits
    return Weights(f"{base}.weight", packing.scheme or f"INT{packing.bits}", parameters, None, packed=True)


def _mlx_scheme(path: Path, base: str, weight: TensorInfo, scales: TensorInfo, packing: Packing) -> tuple[str, int]:
    """Return name and bits of a matrix in one of MLX's modes.

    The stored shapes give bits × group size; with the group size that gives the bits, and both are checked against
    what MLX has.
    """
    row_bits = weight.shape[-1] * INTEGER_BITS if weight.shape else 0
    groups = scales.shape[-1] if scales.shape else 0
    if weight.shape[:-1] != scales.shape[:-1] or groups == 0 or row_bits % groups:
        raise broken(path, f"the scales of {shown(base)} do not fit its weights")
    group_bits = row_bits // groups
    if scales.dtype == "U8":
        if group_bits not in FLOAT_MODES:
            raise broken(path, f"the scales of {shown(base)} do not fit its weights")
        return FLOAT_MODES[group_bits]
    own = Keys(path, packing.overrides.get(base, {}))
    group_size = own.whole("group_size", most=1 << 20) or packing.group_size
    bits = group_bits // group_size
    if group_size not in AFFINE_GROUP_SIZES or bits not in AFFINE_BITS or bits * group_size != group_bits:
        raise broken(path, f"the scales of {shown(base)} do not fit groups of {group_size} weights")
    return f"INT{bits}", bits
