"""One row of a model's tensor table, and the checks of its shape and that all rows lie side by side in the file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import msgspec

from runtime.library.defects import broken, shown

MAX_ELEMENTS = 2**53
"""Far beyond any model, and every product of it with an element's size still fits what native code counts with."""


class TensorInfo(msgspec.Struct, frozen=True):
    """A tensor as the header describes it.

    Attributes:
        name: its name in the file.
        dtype: "F32", "BF16", "U32" … (safetensors) or "F16", "Q4_K" … (GGUF).
        shape: outermost dimension first, in both formats.
        size_bytes: bytes it takes in the file.
        offset: where it begins in the file, in bytes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int
    offset: int

    @property
    def elements(self) -> int:
        """Number of elements as stored (packed weights count as the integers that hold them)."""
        return math.prod(self.shape)


def check_shape(path: Path, name: str, shape: tuple[int, ...], expected: tuple[int | None, ...], source: str) -> None:
    """Check that tensor `name` has the shape that `source` (the metadata, say) asks for; None stands for any size.

    Raises:
        ModelBrokenError: it has another.
    """
    if len(shape) == len(expected) and all(
        there == wanted for there, wanted in zip(shape, expected, strict=True) if wanted is not None
    ):
        return
    wanted = " × ".join("?" if size is None else f"{size:,}" for size in expected)
    there = " × ".join(f"{size:,}" for size in shape) or "a single number"
    raise broken(path, f"the tensor {shown(name)} is {there}, and {source} asks for {wanted}")


def check_layout(path: Path, tensors: Iterable[TensorInfo], file_bytes: int) -> None:
    """Check that tensors end within the file and do not overlap.

    Raises:
        ModelBrokenError: they do not; a file cut short says how much is missing.
    """
    end = 0
    last = ""
    for tensor in sorted(tensors, key=lambda tensor: (tensor.offset, tensor.size_bytes)):
        if tensor.offset < end:
            raise broken(path, f"the tensors {shown(last)} and {shown(tensor.name)} overlap")
        end, last = tensor.offset + tensor.size_bytes, tensor.name
    if end > file_bytes:
        raise broken(path, f"it is cut short: {file_bytes:,} of at least {end:,} bytes are there")
