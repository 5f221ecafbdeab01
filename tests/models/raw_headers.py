"""Headers put together byte by byte, so that a test can write what no library would."""

from __future__ import annotations

import json
import struct

UINT32, FLOAT32, STRING, ARRAY = 4, 6, 8, 9


def safetensors_bytes(header: object, data: bytes = b"", *, header_bytes: int | None = None) -> bytes:
    """Return a safetensors file; `header` is JSON text as bytes, or anything to be written as JSON."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if header_bytes is None else header_bytes) + text + data


def gguf_string(text: str | bytes) -> bytes:
    """Return a string as GGUF writes it."""
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf_key(key: str | bytes, value: object) -> bytes:
    """Return one key with its value: int (u32), float (f32), text, or a pair of type number and raw bytes."""
    match value:
        case int():
            return gguf_string(key) + struct.pack("<II", UINT32, value)
        case float():
            return gguf_string(key) + struct.pack("<If", FLOAT32, value)
        case str() | bytes():
            return gguf_string(key) + struct.pack("<I", STRING) + gguf_string(value)
        case (int(kind), bytes(raw)):
            return gguf_string(key) + struct.pack("<I", kind) + raw
        case _:
            raise TypeError(value)


def gguf_array(kind: int, count: int, raw: bytes = b"") -> tuple[int, bytes]:
    """Return the value of an array key; `count` is what it claims, whatever `raw` holds."""
    return ARRAY, struct.pack("<IQ", kind, count) + raw


def gguf_tensor(name: str | bytes, sizes: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    """Return one row of the tensor table; `sizes` innermost first, as in the file."""
    shape = struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes)
    return gguf_string(name) + shape + struct.pack("<IQ", kind, offset)


def gguf_bytes(
    keys: list[bytes],
    tensors: list[bytes],
    data: bytes = b"",
    *,
    version: int = 3,
    key_count: int | None = None,
    tensor_count: int | None = None,
    magic: bytes = b"GGUF",
) -> bytes:
    """Return a GGUF file; the counts are the true ones unless given."""
    counts = (len(tensors) if tensor_count is None else tensor_count, len(keys) if key_count is None else key_count)
    head = magic + struct.pack("<IQQ", version, *counts) + b"".join(keys) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + data
