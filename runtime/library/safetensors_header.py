"""The header of a safetensors file, read without its weights.

The format: eight bytes with the header's length, a JSON object that maps tensor names to type, shape and place, then
the tensors. https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Annotated

import msgspec

from runtime.library.defects import broken, shown, unsupported
from runtime.library.model_files import OpenModelFile, open_model_file, read_at
from runtime.library.tensors import MAX_ELEMENTS, TensorInfo, check_layout

MAX_HEADER_BYTES = 16_000_000
"""The format allows 100 MB; the longest headers seen take 2 MB, and parsing takes some ten times the header's size."""

MAX_DIMENSIONS = 8
METADATA_KEY = "__metadata__"

ELEMENT_BITS = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E5M2FNUZ": 8,
    "F8_E4M3FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "I64": 64,
    "U64": 64,
    "F64": 64,
    "C64": 64,
}

_Offset = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class _Entry(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[_Offset, ...]
    data_offsets: tuple[_Offset, _Offset]


def read_safetensors_header(path: Path, open_file: OpenModelFile = open_model_file) -> tuple[TensorInfo, ...]:
    """Return the tensor table of the file at `path`.

    Raises:
        ModelMissingError: there is no such file.
        ModelBrokenError: it is cut short, is no safetensors file, or its table contradicts itself.
        ModelUnsupportedError: it holds a type this version does not know.
    """
    with open_file(path) as (stream, file_bytes):
        if file_bytes < 8:
            raise broken(path, "it is too short to hold anything")
        (header_bytes,) = struct.unpack("<Q", read_at(stream, path, 0, 8))
        if not 2 <= header_bytes <= min(MAX_HEADER_BYTES, file_bytes - 8):
            raise broken(path, f"its header claims {header_bytes:,} bytes; it is cut short or no safetensors file")
        content = read_at(stream, path, 8, header_bytes)
    entries = _parsed(path, content)
    tensors = tuple(_tensor(path, name, entry, 8 + header_bytes) for name, entry in entries.items())
    check_layout(path, tensors, file_bytes)
    return tensors


def _parsed(path: Path, content: bytes) -> dict[str, _Entry]:
    try:
        entries = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        entries.pop(METADATA_KEY, None)
        decoder = msgspec.json.Decoder(_Entry)
        return {name: decoder.decode(raw) for name, raw in entries.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise broken(path, "its header cannot be understood", str(error)) from error


def _tensor(path: Path, name: str, entry: _Entry, data_start: int) -> TensorInfo:
    bits = ELEMENT_BITS.get(entry.dtype)
    if bits is None:
        raise unsupported(path, f"it holds tensors of the unknown type {shown(entry.dtype)}")
    begin, end = entry.data_offsets
    elements = math.prod(entry.shape) if len(entry.shape) <= MAX_DIMENSIONS else MAX_ELEMENTS + 1
    if elements > MAX_ELEMENTS or (end - begin) * 8 != elements * bits:
        raise broken(path, f"the tensor {shown(name)} does not have the size its shape asks for")
    return TensorInfo(name, entry.dtype, entry.shape, end - begin, data_start + begin)
