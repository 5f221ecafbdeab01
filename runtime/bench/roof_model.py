"""A GGUF model that only multiplies: a few layers of large matrices stored as those of a model under test.

llama.cpp has kernels of its own for every type of weights, and some for several rows at once, so how fast it can
multiply shows only in llama.cpp, on matrices of that type. Theirs are made of the model's own bytes: any other filling
would have to know how each type is laid out, and matrices of zeros might be multiplied faster than real ones.
The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from runtime.library.gguf_header import DEFAULT_ALIGNMENT, MAGIC, read_gguf_header
from runtime.library.gguf_types import (
    ARRAY_VALUE,
    FLOAT32_VALUE,
    STRING_VALUE,
    TENSOR_TYPES,
    UINT32_VALUE,
    TensorType,
)
from runtime.library.model_files import open_model_file, read_at
from runtime.library.tensors import TensorInfo

VERSION = 3
HIDDEN, FEED_FORWARD, HEADS, KV_HEADS, HEAD_DIM = 2048, 4096, 16, 2, 128
"""Next to matrices as large as these, attention over a few hundred tokens and the norms are little work."""
CONTEXT_TOKENS = 1024
LEAST_WEIGHTS_BYTES = 24_000_000
"""llama.cpp is given fewer threads for smaller models."""
LEAST_LAYERS = 2
SAMPLE_BYTES = 1 << 20
PLAIN = "F32"
MLP = "ffn"
FIRST_BYTES = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
"""Bytes that stand for themselves in GPT-2's vocabulary of bytes; the others follow from character 256 on."""


class RoofModel(msgspec.Struct, frozen=True):
    """A model that was written: its file, the type of its matrices, and how many weights a prompt's token meets.

    Those are all matrices but the MLP of the last layer: llama.cpp leaves it out where no logits are asked for.
    """

    path: Path
    dtype: str
    weights: int


class _Tensor(msgspec.Struct, frozen=True):
    """A tensor to write: `content` over and over, as long as it is."""

    name: str
    kind: int
    shape: tuple[int, ...]
    size_bytes: int
    content: bytes


def main_dtype(tensors: Sequence[TensorInfo]) -> str:
    """Return the type that most weights of matrices have; "F32" where there are no matrices."""
    weights: Counter[str] = Counter()
    for tensor in tensors:
        if len(tensor.shape) > 1:
            weights[tensor.dtype] += tensor.elements
    return weights.most_common(1)[0][0] if weights else PLAIN


def write_roof_model(path: Path, model: Path) -> RoofModel:
    """Write to `path` a model whose matrices are stored as those of the GGUF file `model`, from whose bytes they are.

    Raises:
        UserFacingError: `model` cannot be read.
        OSError: `path` cannot be written.
    """
    header = read_gguf_header(model)
    dtype = main_dtype(header.tensors)
    sample = _sample(model, header.tensors, dtype)
    stored = _type_of(dtype)
    layer_weights = sum(rows * columns for _, rows, columns in _matrices())
    last_weights = sum(rows * columns for name, rows, columns in _matrices() if not name.startswith(MLP))
    layer_bytes = layer_weights // stored.block_elements * stored.block_bytes
    layers = max(LEAST_LAYERS, -(-LEAST_WEIGHTS_BYTES // layer_bytes))
    tensors = [*_outside(), *(one for number in range(layers) for one in _layer(number, dtype, sample))]
    with path.open("wb") as stream:
        stream.write(_head(layers, tensors))
        for tensor in tensors:
            stream.write(_repeated(tensor.content, tensor.size_bytes) + _padding(tensor.size_bytes))
    return RoofModel(path, dtype, (layers - 1) * layer_weights + last_weights)


def _sample(path: Path, tensors: Sequence[TensorInfo], dtype: str) -> bytes:
    """Return whole blocks from the middle of the largest matrix of that type."""
    largest = max((one for one in tensors if one.dtype == dtype), key=lambda one: one.size_bytes)
    block = _type_of(dtype).block_bytes
    size = min(SAMPLE_BYTES, largest.size_bytes) // block * block
    skipped = (largest.size_bytes - size) // 2 // block * block
    with open_model_file(path) as (stream, _):
        return read_at(stream, path, largest.offset + skipped, size)


def _type_of(dtype: str) -> TensorType:
    return TENSOR_TYPES[_kind_of(dtype)]


def _kind_of(dtype: str) -> int:
    return next(kind for kind, stored in TENSOR_TYPES.items() if stored.name == dtype)


def _matrices() -> Iterator[tuple[str, int, int]]:
    """Yield name, rows and columns of a layer's matrices."""
    inner, kv_inner = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
    yield "attn_q", inner, HIDDEN
    yield "attn_k", kv_inner, HIDDEN
    yield "attn_v", kv_inner, HIDDEN
    yield "attn_output", HIDDEN, inner
    yield "ffn_gate", FEED_FORWARD, HIDDEN
    yield "ffn_up", FEED_FORWARD, HIDDEN
    yield "ffn_down", HIDDEN, FEED_FORWARD


def _layer(number: int, dtype: str, sample: bytes) -> Iterator[_Tensor]:
    stored = _type_of(dtype)
    for norm in ("attn_norm", "ffn_norm"):
        yield _plain(f"blk.{number}.{norm}.weight", (HIDDEN,), (1.0,))
    for name, rows, columns in _matrices():
        size = rows * columns // stored.block_elements * stored.block_bytes
        yield _Tensor(f"blk.{number}.{name}.weight", _kind_of(dtype), (columns, rows), size, sample)


def _outside() -> Iterator[_Tensor]:
    draw = random.Random(0)  # noqa: S311 - weights, not secrets
    values = tuple(draw.gauss(0.0, 1.0) for _ in range(HIDDEN + 1))
    for name in ("token_embd", "output"):
        yield _plain(f"{name}.weight", (HIDDEN, len(_tokens())), values)
    yield _plain("output_norm.weight", (HIDDEN,), (1.0,))


def _plain(name: str, shape: tuple[int, ...], values: tuple[float, ...]) -> _Tensor:
    elements = shape[0] * (shape[1] if len(shape) > 1 else 1)
    return _Tensor(name, _kind_of(PLAIN), shape, 4 * elements, struct.pack(f"<{len(values)}f", *values))


def _repeated(content: bytes, size: int) -> bytes:
    return (content * -(-size // len(content)))[:size]


def _padding(size: int) -> bytes:
    return bytes(-size % DEFAULT_ALIGNMENT)


def _head(layers: int, tensors: Sequence[_Tensor]) -> bytes:
    keys = [*_whole_numbers(layers), *_texts()]
    parts = [MAGIC, struct.pack("<IQQ", VERSION, len(tensors), len(keys)), *keys]
    offset = 0
    for tensor in tensors:
        sizes = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        parts.append(_text(tensor.name) + sizes + struct.pack("<IQ", tensor.kind, offset))
        offset += tensor.size_bytes + len(_padding(tensor.size_bytes))
    head = b"".join(parts)
    return head + _padding(len(head))


def _whole_numbers(layers: int) -> Iterator[bytes]:
    numbers = {
        "block_count": layers,
        "context_length": CONTEXT_TOKENS,
        "embedding_length": HIDDEN,
        "feed_forward_length": FEED_FORWARD,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV_HEADS,
        "rope.dimension_count": HEAD_DIM,
        "vocab_size": len(_tokens()),
    }
    for name, value in numbers.items():
        yield _text(f"llama.{name}") + struct.pack("<II", UINT32_VALUE, value)
    yield _text("llama.attention.layer_norm_rms_epsilon") + struct.pack("<If", FLOAT32_VALUE, 1e-5)
    yield _text("tokenizer.ggml.eos_token_id") + struct.pack("<II", UINT32_VALUE, len(_tokens()) - 1)


def _texts() -> Iterator[bytes]:
    for key, value in (
        ("general.architecture", "llama"),
        ("general.name", "roof"),
        ("tokenizer.ggml.model", "gpt2"),
        ("tokenizer.ggml.pre", "gpt-2"),
    ):
        yield _text(key) + struct.pack("<I", STRING_VALUE) + _text(value)
    for key, values in (("tokens", _tokens()), ("merges", ("a b",))):
        array = struct.pack("<IIQ", ARRAY_VALUE, STRING_VALUE, len(values))
        yield _text(f"tokenizer.ggml.{key}") + array + b"".join(map(_text, values))


def _tokens() -> tuple[str, ...]:
    """Return the bytes as GPT-2 writes them, one merged pair, and an end."""
    others = (chr(256 + number) for number in range(256 - len(FIRST_BYTES)))
    return (*map(chr, FIRST_BYTES), *others, "ab", "<|end|>")


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw
