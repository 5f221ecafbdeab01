"""The safetensors header: what the format's own library writes is read back; what contradicts itself is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import mlx.core as mx
import pytest

from runtime.library.safetensors_header import ELEMENT_BITS, read_safetensors_header
from runtime.values.errors import ModelBrokenError, ModelMissingError, ModelUnsupportedError
from tests.models.raw_headers import safetensors_bytes


def _entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_agrees_with_mlx_on_every_type_it_writes(tmp_path: Path) -> None:
    types = [mx.bool_, mx.uint8, mx.int8, mx.uint16, mx.int32, mx.uint32, mx.int64, mx.float16, mx.bfloat16, mx.float32]
    arrays = {str(kind): mx.zeros((3, 5)).astype(kind) for kind in types}
    arrays |= {"scalar": mx.array(1.0), "empty": mx.zeros((0, 4)), "deep": mx.zeros((2, 3, 4))}
    file = tmp_path / "all.safetensors"
    mx.save_safetensors(str(file), arrays, {"format": "mlx"})

    tensors = {tensor.name: tensor for tensor in read_safetensors_header(file)}

    assert tensors.keys() == arrays.keys()
    for name, array in arrays.items():
        assert tensors[name].shape == tuple(array.shape)
        assert tensors[name].elements == array.size
        assert tensors[name].size_bytes == array.nbytes


def test_offsets_point_at_the_data(tmp_path: Path) -> None:
    file = tmp_path / "two.safetensors"
    mx.save_safetensors(str(file), {"a": mx.array([1, 2], mx.uint8), "b": mx.array([7, 8, 9], mx.uint8)})
    content = file.read_bytes()

    found = {tensor.name: content[tensor.offset :][: tensor.size_bytes] for tensor in read_safetensors_header(file)}

    assert found == {"a": b"\1\2", "b": b"\7\x08\x09"}


@pytest.mark.parametrize("dtype", ELEMENT_BITS)
def test_size_follows_type_and_shape(tmp_path: Path, dtype: str) -> None:
    size = 8 * 4 * ELEMENT_BITS[dtype] // 8
    file = tmp_path / "one.safetensors"
    file.write_bytes(safetensors_bytes({"x": _entry(dtype, [8, 4], 0, size)}, bytes(size)))
    assert read_safetensors_header(file)[0].size_bytes == size

    file.write_bytes(safetensors_bytes({"x": _entry(dtype, [8, 5], 0, size)}, bytes(size)))
    with pytest.raises(ModelBrokenError, match="size its shape asks for"):
        read_safetensors_header(file)


GOOD = {"x": _entry("F32", [2], 0, 8)}

BROKEN = {
    "empty file": b"",
    "seven bytes": b"\0" * 7,
    "zero-filled": b"\0" * 4096,
    "text": b"this is not a model at all, just some text that is long enough",
    "header longer than the file": safetensors_bytes(GOOD, bytes(8), header_bytes=10_000),
    "header of 2^63 bytes": safetensors_bytes(GOOD, bytes(8), header_bytes=2**63),
    "header cut": safetensors_bytes(GOOD, bytes(8), header_bytes=20),
    "not JSON": safetensors_bytes(b"[{]}", bytes(8)),
    "a list": safetensors_bytes([1, 2], bytes(8)),
    "deeply nested": safetensors_bytes(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deeply nested metadata": safetensors_bytes(b'{"__metadata__":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001),
    "not UTF-8": safetensors_bytes(b'{"\xff\xfe": 1}'),
    "tensor beyond the end": safetensors_bytes(GOOD, bytes(7)),
    "negative offset": safetensors_bytes({"x": _entry("F32", [2], -8, 0)}, bytes(8)),
    "backward offsets": safetensors_bytes({"x": _entry("F32", [2], 8, 0)}, bytes(8)),
    "negative dimension": safetensors_bytes({"x": _entry("F32", [-2], 0, 8)}, bytes(8)),
    "fractional dimension": safetensors_bytes(b'{"x":{"dtype":"F32","shape":[2.5],"data_offsets":[0,10]}}', bytes(10)),
    "huge dimension": safetensors_bytes({"x": _entry("F32", [2**64, 2**64], 0, 8)}, bytes(8)),
    "product wraps to the right size": safetensors_bytes({"x": _entry("F32", [2**62, 4, 2], 0, 0)}),
    "many dimensions": safetensors_bytes({"x": _entry("F32", [1] * 100_000, 0, 4)}, bytes(4)),
    "size does not fit the shape": safetensors_bytes({"x": _entry("F32", [3], 0, 8)}, bytes(8)),
    "no dtype": safetensors_bytes({"x": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
    "overlap": safetensors_bytes({"x": _entry("F32", [2], 0, 8), "y": _entry("F32", [2], 4, 12)}, bytes(12)),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)

    with pytest.raises(ModelBrokenError, match=r"^model\.safetensors is damaged: "):
        read_safetensors_header(file)


def test_a_cut_file_says_how_much_is_there(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    whole = safetensors_bytes({"x": _entry("U8", [1000], 0, 1000)}, bytes(1000))
    file.write_bytes(whole[:-400])

    with pytest.raises(ModelBrokenError, match=rf"cut short: {len(whole) - 400:,} of at least {len(whole):,} bytes"):
        read_safetensors_header(file)


def test_an_unknown_type_is_unsupported_not_damaged(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(safetensors_bytes({"x": _entry("F2\x1b[31m", [4], 0, 1)}, bytes(1)))

    with pytest.raises(ModelUnsupportedError) as raised:
        read_safetensors_header(file)
    assert "\x1b" not in raised.value.what


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError):
        read_safetensors_header(tmp_path / "none.safetensors")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "model.safetensors"
    os.mkfifo(pipe)

    with pytest.raises(ModelBrokenError, match="not a regular file"):
        read_safetensors_header(pipe)


def test_a_hole_file_of_a_terabyte_costs_nothing(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    text = json.dumps({"x": _entry("U8", [10**12], 0, 10**12)}).encode()
    with file.open("wb") as stream:
        stream.write(safetensors_bytes(text))
        try:
            stream.truncate(8 + len(text) + 10**12)
        except OSError:
            pytest.skip("this file system has no sparse files of that size")

    assert read_safetensors_header(file)[0].elements == 10**12
