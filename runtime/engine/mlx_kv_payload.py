"""A KV cache as a file: its arrays as safetensors, which MLX reads fast, and a layout that says where each belongs.

The arrays are looked at, never copied, so that another thread can write them while nothing changes them. What is read
is taken for no more than numbers: kinds of layers come from the model that was loaded, not from the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import mlx.core as mx
import msgspec
import numpy as np
import numpy.typing as npt

from runtime.engine.mlx_cache import CacheLayer, Checkpoint, KvCache

Tree = Any  # lists, numbers, text, None, and arrays or their places

DTYPE_NAMES = {
    mx.float32: "F32",
    mx.float16: "F16",
    mx.bfloat16: "BF16",
    mx.uint32: "U32",
    mx.int32: "I32",
    mx.uint8: "U8",
    mx.bool_: "BOOL",
    mx.int64: "I64",
}
PLACE = "array"


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where the arrays of a payload belong.

    Attributes:
        kinds: the class of each layer.
        layers: the state of each layer; in place of an array, its number.
        checkpoints: after how many tokens, and the states of some layers by their index.
        cuts_anywhere: whether it can be cut back to any token, or only to its checkpoints.
    """

    kinds: tuple[str, ...]
    layers: list[Tree]
    checkpoints: list[tuple[int, dict[int, Tree]]]
    cuts_anywhere: bool

    def usable(self, tokens: int, held: int) -> int:
        """Return to how many of the first `tokens` a cache that holds `held` can be cut."""
        if tokens >= held:
            return held
        return tokens if self.cuts_anywhere else max((one for one, _ in self.checkpoints if one <= tokens), default=0)


class Payload(msgspec.Struct, frozen=True):
    """A cache ready to be written, by any thread: layout, head of the file, and the arrays as NumPy sees them."""

    layout: str
    head: bytes
    arrays: tuple[npt.NDArray[Any], ...]

    @property
    def nbytes(self) -> int:
        """Size of the file."""
        return len(self.head) + sum(array.nbytes for array in self.arrays)

    def pieces(self) -> Iterator[memoryview]:
        """Yield the file's content in contiguous pieces."""
        yield memoryview(self.head)
        for array in self.arrays:
            for leading in product(*map(range, array.shape[:-2])):
                piece = np.ascontiguousarray(array[leading])
                if piece.nbytes:
                    yield piece.data.cast("B")


def pack(cache: KvCache) -> Payload:
    """Return the content of `cache`, which must not be evaluated further: give it a fork.

    Raises:
        ValueError: it holds something that has no place in a file.
    """
    arrays: list[mx.array] = []
    layout = Layout(
        kinds=tuple(type(layer).__name__ for layer in cache.layers),
        layers=[_without_arrays(layer.state, arrays) for layer in cache.layers],
        checkpoints=[
            (one.tokens, {index: _without_arrays(layer.state, arrays) for index, layer in one.layers.items()})
            for one in cache.checkpoints
        ],
        cuts_anywhere=cache.can_cut,
    )
    mx.eval(arrays)
    return Payload(msgspec.json.encode(layout).decode(), _head(arrays), tuple(_seen(array) for array in arrays))


def read_layout(text: str) -> Layout:
    """Return the layout in a record.

    Raises:
        ValueError: it is none.
    """
    return msgspec.json.decode(text, type=Layout)


def unpack(path: Path, layout: Layout, empty: KvCache) -> KvCache:
    """Return the cache in the file at `path`, whose checksum is right, for the model that made `empty`.

    Raises:
        ValueError: it does not belong to this model.
        OSError, RuntimeError: it cannot be read.
    """
    kinds = tuple(type(layer).__name__ for layer in empty.layers)
    if kinds != layout.kinds:
        raise ValueError(f"layers {layout.kinds} are not {kinds}")
    arrays = mx.load(str(path), format="safetensors")
    if not isinstance(arrays, dict):
        raise ValueError("no arrays by name")  # noqa: TRY004 - the file is at fault, not the caller
    layers = [_rebuilt(like, tree, arrays) for like, tree in zip(empty.layers, layout.layers, strict=True)]
    checkpoints = [
        Checkpoint(tokens, {index: _rebuilt(empty.layers[index], tree, arrays) for index, tree in states.items()})
        for tokens, states in layout.checkpoints
    ]
    mx.eval(list(arrays.values()))
    return KvCache(layers, checkpoints)


def _rebuilt(like: CacheLayer, tree: Tree, arrays: dict[str, mx.array]) -> CacheLayer:
    return type(like).from_state(_with_arrays(tree, arrays))


def _without_arrays(value: Tree, arrays: list[mx.array]) -> Tree:
    if isinstance(value, mx.array):
        if value.dtype not in DTYPE_NAMES:
            raise ValueError(f"{value.dtype} cannot be written")
        arrays.append(value)
        return {PLACE: len(arrays) - 1}
    if isinstance(value, list | tuple):
        return [_without_arrays(part, arrays) for part in value]
    if value is None or isinstance(value, int | float | str):
        return value
    raise ValueError(f"a {type(value).__name__} cannot be written")


def _with_arrays(tree: Tree, arrays: dict[str, mx.array]) -> Tree:
    if isinstance(tree, dict):
        return arrays[str(tree[PLACE])]
    if isinstance(tree, list):
        return [_with_arrays(part, arrays) for part in tree]
    return tree


def _head(arrays: Sequence[mx.array]) -> bytes:
    """Return the head of a safetensors file: the length of a JSON text, and that text."""
    entries: dict[str, object] = {}
    start = 0
    for index, array in enumerate(arrays):
        end = start + array.nbytes
        entries[str(index)] = {
            "dtype": DTYPE_NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
        start = end
    text = msgspec.json.encode(entries)
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _seen(array: mx.array) -> npt.NDArray[Any]:
    """Return the array as NumPy sees it, which has no bfloat16."""
    return np.asarray(array.view(mx.uint16) if array.dtype == mx.bfloat16 else array)
