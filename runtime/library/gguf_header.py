"""The header of a GGUF file (version 2 or 3): metadata and tensor table, read without the weights.

Our own reader, because this runs in the GUI process: no numpy, no mapped file (a mapped file that shrinks kills the
process), long arrays skipped rather than kept, everything counted before it is believed.
The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

from runtime.library.defects import broken, shown, unsupported
from runtime.library.gguf_types import ARRAY_VALUE, SCALAR_FORMATS, STRING_VALUE, TENSOR_TYPES
from runtime.library.model_files import ModelStream, OpenModelFile, open_model_file, read_at
from runtime.library.tensors import MAX_ELEMENTS, TensorInfo, check_layout

MAGIC = b"GGUF"
VERSIONS = (2, 3)
FIRST_WINDOW_BYTES = 1 << 16
WINDOW_BYTES = 1 << 20
"""Read at a time; the first reads are smaller, because most headers are, and some are far away."""
MAX_HEADER_BYTES = 256 << 20
"""The longest headers seen take 20 MB."""
MAX_KEYS = 1 << 16
MAX_TENSORS = 1 << 16
MAX_KEY_BYTES = 1 << 16
MAX_TENSOR_NAME_BYTES = 63
MAX_DIMENSIONS = 4
MAX_TEXT_BYTES = 1 << 20
"""Longer texts (no chat template is) are skipped."""
MAX_KEPT_BYTES = 16 << 20
"""Texts and short arrays kept from one header, all together."""
MAX_SHORT_ARRAY = 1024
"""Arrays of numbers up to this length are kept: some models give a number for each layer."""
MAX_ARRAY_STRINGS = 8_000_000
"""Strings of all arrays together; the largest vocabularies have 262,144 tokens and twice as many merges."""
DEFAULT_ALIGNMENT = 32
MAX_ALIGNMENT = 1 << 20

Number = bool | int | float


class GgufArray(msgspec.Struct, frozen=True):
    """An array that was skipped: type of its elements, how many, and where the first one begins in the file."""

    element_type: int
    count: int
    offset: int


GgufValue = Number | str | tuple[Number, ...] | GgufArray


class GgufHeader(msgspec.Struct, frozen=True):
    """What stands before the weights; `open_file` is how it was read, and how more of it can be."""

    path: Path
    values: dict[str, GgufValue]
    tensors: tuple[TensorInfo, ...]
    open_file: OpenModelFile


def read_gguf_header(path: Path, open_file: OpenModelFile = open_model_file) -> GgufHeader:
    """Return the header of the file at `path`.

    Raises:
        ModelMissingError: there is no such file.
        ModelBrokenError: it is cut short, is no GGUF file, or its header contradicts itself.
        ModelUnsupportedError: it is of another version or byte order, or holds a tensor type not known here.
    """
    with open_file(path) as (stream, size):
        cursor = _Cursor(stream, size, path)
        tensor_count, key_count = _preamble(cursor)
        values: dict[str, GgufValue] = {}
        for _ in range(key_count):
            key = cursor.text(MAX_KEY_BYTES, "a key")
            if not key or key in values:
                raise broken(path, f"the key {shown(key)} is there twice" if key else "a key has no name")
            values[key] = _value(cursor, key)
        entries = [_tensor(cursor) for _ in range(tensor_count)]
        return GgufHeader(path, values, _placed(path, entries, _data_start(cursor, values), size), open_file)


def string_at(header: GgufHeader, array: GgufArray, index: int) -> str | None:
    """Return one element of a skipped array of strings; None if the array has none there.

    Raises:
        UserFacingError: the file is no longer what it was.
    """
    if array.element_type != STRING_VALUE or not 0 <= index < array.count:
        return None
    with header.open_file(header.path) as (stream, size):
        cursor = _Cursor(stream, size, header.path)
        cursor.position = array.offset
        cursor.skip_strings(index)
        return cursor.text(MAX_TEXT_BYTES, "a token")


def strings_of(path: Path, array: GgufArray) -> Iterator[bytes]:
    """Yield the elements of a skipped array of strings, as they are stored.

    Raises:
        UserFacingError: one is longer than any token is, or the file is no longer what it was.
    """
    with open_model_file(path) as (stream, size):
        cursor = _Cursor(stream, size, path)
        cursor.position = array.offset
        yield from cursor.strings(array.count)


class _Cursor:
    """Reads forward through a file, a window at a time, and keeps count of what it is asked to keep."""

    def __init__(self, stream: ModelStream, size: int, path: Path) -> None:
        self.path = path
        self.size = size
        self.position = 0
        self.kept_bytes = 0
        self.array_strings = 0
        self._stream = stream
        self._window = b""
        self._window_start = 0
        self._window_bytes = FIRST_WINDOW_BYTES

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes (at most `WINDOW_BYTES`)."""
        self._need(count)
        begin = self.position - self._window_start
        if begin < 0 or begin + count > len(self._window):
            self._refill(count)
            begin = 0
        self.position += count
        return self._window[begin : begin + count]

    def skip(self, count: int) -> None:
        """Pass over the next `count` bytes."""
        self._need(count)
        self.position += count

    def number(self, value_format: str) -> Number:
        """Return the next number, in `struct` notation."""
        value: Number = struct.unpack(value_format, self.take(struct.calcsize(value_format)))[0]
        return value

    def whole(self, value_format: str) -> int:
        """Return the next whole number, in `struct` notation."""
        return int(self.number(value_format))

    def text(self, most_bytes: int, what: str) -> str:
        """Return the next string."""
        length = self.whole("<Q")
        if length > most_bytes:
            raise broken(self.path, f"{what} claims {length:,} bytes")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise broken(self.path, f"{what} is not UTF-8", str(error)) from error

    def keep(self, count: int) -> None:
        """Count `count` bytes as kept."""
        self.kept_bytes += count
        if self.kept_bytes > MAX_KEPT_BYTES:
            raise broken(self.path, "its header holds more text than makes sense")

    def skip_strings(self, count: int) -> None:
        """Pass over `count` strings. Half a million of them take about 50 ms, so the loop is written for speed."""
        self.array_strings += count
        if self.array_strings > MAX_ARRAY_STRINGS:
            raise broken(self.path, "its header holds more strings than makes sense")
        unpack = struct.Struct("<Q").unpack_from
        while count:
            self._need(8)
            self._refill(8)
            window, index, last = self._window, 0, len(self._window) - 8
            while count and index <= last:
                index += 8 + unpack(window, index)[0]
                count -= 1
            self.skip(index)

    def strings(self, count: int) -> Iterator[bytes]:
        """Yield the next `count` strings, each shorter than a window; written for speed, as `skip_strings`."""
        unpack = struct.Struct("<Q").unpack_from
        while count:
            self._need(8)
            self._refill(WINDOW_BYTES)
            window, index = self._window, 0
            while count and index + 8 <= len(window):
                begin = index + 8
                end = begin + unpack(window, index)[0]
                if end > len(window):
                    break
                yield window[begin:end]
                index = end
                count -= 1
            if index == 0:
                raise broken(self.path, "a text in its header is longer than makes sense")
            self.skip(index)

    def _need(self, count: int) -> None:
        if count > self.size - self.position:
            raise broken(self.path, "it is cut short: it ends within its header")
        if self.position + count > MAX_HEADER_BYTES:
            raise broken(self.path, "its header is longer than makes sense")

    def _refill(self, least: int) -> None:
        count = min(max(self._window_bytes, least), self.size - self.position)
        self._window_bytes = min(2 * self._window_bytes, WINDOW_BYTES)
        self._window = read_at(self._stream, self.path, self.position, count)
        self._window_start = self.position


def _preamble(cursor: _Cursor) -> tuple[int, int]:
    """Return the numbers of tensors and of keys."""
    if cursor.size < 4 or cursor.take(4) != MAGIC:
        raise broken(cursor.path, "it is no GGUF file")
    version = cursor.whole("<I")
    if version not in VERSIONS:
        backwards = version & 0xFFFF == 0
        what = "it is stored big-endian" if backwards else f"it is of GGUF version {version}, and only 2 and 3 are read"
        raise unsupported(cursor.path, what)
    tensors, keys = cursor.whole("<Q"), cursor.whole("<Q")
    if tensors > MAX_TENSORS or keys > MAX_KEYS:
        raise broken(cursor.path, f"it claims {tensors:,} tensors and {keys:,} keys")
    return tensors, keys


def _value(cursor: _Cursor, key: str) -> GgufValue:
    kind = cursor.whole("<I")
    if kind in SCALAR_FORMATS:
        return cursor.number(SCALAR_FORMATS[kind])
    if kind == STRING_VALUE:
        return _kept_text(cursor, key)
    if kind == ARRAY_VALUE:
        return _array(cursor, key)
    raise broken(cursor.path, f"the key {shown(key)} has the unknown type {kind}")


def _kept_text(cursor: _Cursor, key: str) -> str:
    length = cursor.whole("<Q")
    if length > MAX_TEXT_BYTES:
        cursor.skip(length)
        return ""
    cursor.keep(length)
    cursor.position -= 8
    return cursor.text(MAX_TEXT_BYTES, f"the key {shown(key)}")


def _array(cursor: _Cursor, key: str) -> tuple[Number, ...] | GgufArray:
    kind, count = cursor.whole("<I"), cursor.whole("<Q")
    array = GgufArray(kind, count, cursor.position)
    if kind == STRING_VALUE:
        cursor.skip_strings(count)
        return array
    if kind not in SCALAR_FORMATS:
        raise broken(cursor.path, f"the key {shown(key)} is an array of the unknown type {kind}")
    element = SCALAR_FORMATS[kind]
    if count > MAX_SHORT_ARRAY:
        cursor.skip(count * struct.calcsize(element))
        return array
    cursor.keep(8 * count)
    packed = f"<{count}{element[1:]}"
    return struct.unpack(packed, cursor.take(struct.calcsize(packed)))


def _tensor(cursor: _Cursor) -> TensorInfo:
    """Return the next row of the tensor table, its offset still counted from where the data begins."""
    name = cursor.text(MAX_TENSOR_NAME_BYTES, "a tensor's name")
    dimensions = cursor.whole("<I")
    if dimensions > MAX_DIMENSIONS:
        raise broken(cursor.path, f"the tensor {shown(name)} has {dimensions:,} dimensions")
    sizes = tuple(cursor.whole("<Q") for _ in range(dimensions))
    kind, offset = cursor.whole("<I"), cursor.whole("<Q")
    elements = math.prod(sizes)
    if not 0 < elements <= MAX_ELEMENTS:
        raise broken(cursor.path, f"the tensor {shown(name)} has an impossible shape")
    if kind not in TENSOR_TYPES:
        raise unsupported(cursor.path, f"the tensor {shown(name)} is of type {kind}, which this version does not know")
    stored = TENSOR_TYPES[kind]
    if (sizes[0] if sizes else 1) % stored.block_elements:
        raise broken(cursor.path, f"the rows of the tensor {shown(name)} do not fill blocks of {stored.name}")
    size_bytes = elements // stored.block_elements * stored.block_bytes
    return TensorInfo(name, stored.name, sizes[::-1], size_bytes, offset)


def _data_start(cursor: _Cursor, values: dict[str, GgufValue]) -> int:
    alignment = values.get("general.alignment", DEFAULT_ALIGNMENT)
    if isinstance(alignment, bool) or not isinstance(alignment, int) or not _is_alignment(alignment):
        raise broken(cursor.path, f"general.alignment is {shown(alignment)}")
    return -(-cursor.position // alignment) * alignment


def _is_alignment(value: int) -> bool:
    return 0 < value <= MAX_ALIGNMENT and value & (value - 1) == 0


def _placed(path: Path, entries: list[TensorInfo], data_start: int, file_bytes: int) -> tuple[TensorInfo, ...]:
    placed = tuple(msgspec.structs.replace(entry, offset=data_start + entry.offset) for entry in entries)
    if len({entry.name for entry in entries}) != len(entries):
        raise broken(path, "two of its tensors have the same name")
    check_layout(path, placed, file_bytes)
    return placed
