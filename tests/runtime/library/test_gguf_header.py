"""The GGUF header: agrees with the package `gguf`, keeps only what is needed, refuses what contradicts itself."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf.constants import GGML_QUANT_SIZES

from runtime.library.gguf_header import GgufArray, read_gguf_header, string_at
from runtime.library.gguf_types import FILE_TYPES, TENSOR_TYPES
from runtime.values.errors import ModelBrokenError, ModelMissingError, ModelUnsupportedError
from tests.models.random_gguf import GgufRecipe, Weights, write_random_gguf
from tests.models.raw_headers import UINT32, gguf_array, gguf_bytes, gguf_key, gguf_string, gguf_tensor

STRING_TYPE = 8


def test_tensor_types_are_ggmls() -> None:
    ours = {number: (kind.name, kind.block_elements, kind.block_bytes) for number, kind in TENSOR_TYPES.items()}

    assert ours == {int(kind): (kind.name, *GGML_QUANT_SIZES[kind]) for kind in gguf.GGMLQuantizationType}


def test_file_types_are_llama_cpps() -> None:
    labels = {int(kind): kind.name for kind in gguf.LlamaFileType if kind is not gguf.LlamaFileType.GUESSED}

    assert FILE_TYPES.keys() == labels.keys()
    stored = {kind.name for kind in TENSOR_TYPES.values()}
    for number, (name, types) in FILE_TYPES.items():
        floating = {"FP32": "F32", "FP16": "F16"}.get(name, name)
        assert labels[number].removesuffix("_MOE").split("_", 1)[1] == floating
        assert types <= stored


@pytest.mark.parametrize("weights", ["F32", "F16", "Q8_0", "Q4_0"])
def test_agrees_with_gguf_on_a_whole_model(tmp_path: Path, weights: Weights) -> None:
    file = tmp_path / "model.gguf"
    write_random_gguf(file, GgufRecipe(weights=weights))
    theirs = gguf.GGUFReader(file)

    ours = read_gguf_header(file)

    assert [tensor.name for tensor in ours.tensors] == [tensor.name for tensor in theirs.tensors]
    for tensor, reference in zip(ours.tensors, theirs.tensors, strict=True):
        assert tensor.shape == tuple(int(size) for size in reversed(reference.shape))
        assert (tensor.dtype, tensor.size_bytes) == (reference.tensor_type.name, reference.n_bytes)
        assert tensor.offset == reference.data_offset
    assert ours.values.keys() == {name for name in theirs.fields if not name.startswith("GGUF.")}
    for name, value in ours.values.items():
        if not isinstance(value, GgufArray):
            contents = theirs.fields[name].contents()
            assert value == (tuple(contents) if isinstance(contents, list) else contents), name


VALUES = {
    "u8": (gguf.GGUFValueType.UINT8, 200),
    "i8": (gguf.GGUFValueType.INT8, -100),
    "u16": (gguf.GGUFValueType.UINT16, 60_000),
    "i16": (gguf.GGUFValueType.INT16, -30_000),
    "u32": (gguf.GGUFValueType.UINT32, 4_000_000_000),
    "i32": (gguf.GGUFValueType.INT32, -2_000_000_000),
    "u64": (gguf.GGUFValueType.UINT64, 2**63),
    "i64": (gguf.GGUFValueType.INT64, -(2**62)),
    "f32": (gguf.GGUFValueType.FLOAT32, 0.5),
    "f64": (gguf.GGUFValueType.FLOAT64, 1e300),
    "yes": (gguf.GGUFValueType.BOOL, True),
    "text": (gguf.GGUFValueType.STRING, "grüß dich 🙂"),
}


def test_every_value_type_is_read(tmp_path: Path) -> None:
    file = tmp_path / "values.gguf"
    writer = gguf.GGUFWriter(file, "test")
    for name, (kind, value) in VALUES.items():
        writer.add_key_value(name, value, kind)
    writer.add_array("numbers", [1, 2, 3])
    writer.add_array("words", ["a", "b"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()

    header = read_gguf_header(file)

    values = header.values
    assert {name: values[name] for name in VALUES} == {name: value for name, (_, value) in VALUES.items()}
    assert values["numbers"] == (1, 2, 3)
    words = values["words"]
    assert isinstance(words, GgufArray)
    assert [string_at(header, words, index) for index in range(-1, 3)] == [None, "a", "b", None]


def test_a_long_vocabulary_is_skipped_and_found_again(tmp_path: Path) -> None:
    """Longer than the window that is read at a time, with one token that is longer than the window itself."""
    tokens = [f"token-{index}" for index in range(120_000)]
    tokens[60_000] = "x" * 3_000_000
    file = tmp_path / "long.gguf"
    raw = b"".join(gguf_string(token) for token in tokens)
    keys = [
        gguf_key("tokens", gguf_array(STRING_TYPE, len(tokens), raw)),
        gguf_key("scores", gguf_array(6, 120_000, bytes(480_000))),
        gguf_key("after", 7),
    ]
    file.write_bytes(gguf_bytes(keys, []))

    header = read_gguf_header(file)

    array = header.values["tokens"]
    assert isinstance(array, GgufArray)
    assert array.count == 120_000
    assert header.values["after"] == 7
    for index in (0, 1, 59_999, 60_001, 119_999):
        assert string_at(header, array, index) == tokens[index]


def test_long_texts_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "texts.gguf"
    file.write_bytes(gguf_bytes([gguf_key("long", "y" * 2_000_000), gguf_key("short", "here")], []))

    assert read_gguf_header(file).values == {"long": "", "short": "here"}


def test_alignment_moves_the_data(tmp_path: Path) -> None:
    file = tmp_path / "aligned.gguf"
    writer = gguf.GGUFWriter(file, "test")
    writer.add_custom_alignment(256)
    writer.add_tensor("a", np.arange(5, dtype=np.float32))
    writer.add_tensor("b", np.arange(7, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    content = file.read_bytes()

    for tensor in read_gguf_header(file).tensors:
        assert tensor.offset % 256 == 0
        values = struct.unpack(f"<{tensor.elements}f", content[tensor.offset :][: tensor.size_bytes])
        assert values == tuple(range(tensor.elements))


ONE = [gguf_tensor("t", (32,))]

BROKEN = {
    "empty file": b"",
    "three bytes": b"GGU",
    "zero-filled": bytes(4096),
    "wrong magic": gguf_bytes([], [], magic=b"GGML"),
    "only magic": b"GGUF",
    "ends in the counts": gguf_bytes([], [])[:12],
    "claims 2^64-1 keys": gguf_bytes([], [], key_count=2**64 - 1),
    "claims 2^40 tensors": gguf_bytes([], [], tensor_count=2**40),
    "claims one key more": gguf_bytes([gguf_key("a", 1)], [], key_count=2),
    "claims one tensor more": gguf_bytes([], ONE, bytes(128), tensor_count=3),
    "key of 2^60 bytes": gguf_bytes([struct.pack("<Q", 2**60)], []),
    "key not UTF-8": gguf_bytes([gguf_key(b"\xff\xfe", 1)], []),
    "key without a name": gguf_bytes([gguf_key("", 1)], []),
    "key twice": gguf_bytes([gguf_key("a", 1), gguf_key("a", 2)], []),
    "text of 2^63 bytes": gguf_bytes([gguf_string("a") + struct.pack("<IQ", 8, 2**63)], []),
    "text not UTF-8": gguf_bytes([gguf_key("a", b"\xc3\x28")], []),
    "unknown value type": gguf_bytes([gguf_key("a", (13, b""))], []),
    "array of arrays": gguf_bytes([gguf_key("a", gguf_array(9, 1, bytes(12)))], []),
    "array of 2^61 numbers": gguf_bytes([gguf_key("a", gguf_array(UINT32, 2**61))], []),
    "array of 2^61 strings": gguf_bytes([gguf_key("a", gguf_array(STRING_TYPE, 2**61))], []),
    "array of strings cut": gguf_bytes([gguf_key("a", gguf_array(STRING_TYPE, 3, gguf_string("b")))], []),
    "string in array of 2^64-1 bytes": gguf_bytes([gguf_key("a", gguf_array(STRING_TYPE, 2, b"\xff" * 8))], []),
    "alignment 0": gguf_bytes([gguf_key("general.alignment", 0)], ONE, bytes(128)),
    "alignment 3": gguf_bytes([gguf_key("general.alignment", 3)], ONE, bytes(128)),
    "alignment 2^31": gguf_bytes([gguf_key("general.alignment", 2**31)], ONE, bytes(128)),
    "alignment is a text": gguf_bytes([gguf_key("general.alignment", "32")], ONE, bytes(128)),
    "tensor name of 64 bytes": gguf_bytes([], [gguf_tensor("n" * 64, (32,))], bytes(128)),
    "five dimensions": gguf_bytes([], [gguf_tensor("t", (1, 1, 1, 1, 1))], bytes(128)),
    "2^32-1 dimensions": gguf_bytes([], [gguf_string("t") + struct.pack("<I", 2**32 - 1)], bytes(128)),
    "dimension 0": gguf_bytes([], [gguf_tensor("t", (0, 32))], bytes(128)),
    "product wraps": gguf_bytes([], [gguf_tensor("t", (2**33, 2**33))], bytes(128)),
    "row does not fill blocks": gguf_bytes([], [gguf_tensor("t", (33,), kind=8)], bytes(128)),
    "data cut": gguf_bytes([], ONE, bytes(127)),
    "offset beyond the file": gguf_bytes([], [gguf_tensor("t", (32,), offset=2**63)], bytes(128)),
    "overlap": gguf_bytes([], [gguf_tensor("t", (32,)), gguf_tensor("u", (32,), offset=64)], bytes(256)),
    "tensor twice": gguf_bytes([], [gguf_tensor("t", (32,)), gguf_tensor("t", (32,), offset=128)], bytes(256)),
    "text by the megabyte": gguf_bytes([gguf_key(f"k{index}", "z" * 1_000_000) for index in range(18)], []),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(content)

    with pytest.raises(ModelBrokenError, match=r"^model\.gguf is damaged: "):
        read_gguf_header(file)


UNSUPPORTED = {
    "version 1": gguf_bytes([], [], version=1),
    "version 4": gguf_bytes([], [], version=4),
    "big-endian": gguf_bytes([], [], version=0x03000000),
    "removed type Q4_0_4_4": gguf_bytes([], [gguf_tensor("t", (32,), kind=31)], bytes(128)),
    "type of the future": gguf_bytes([], [gguf_tensor("t", (32,), kind=200)], bytes(128)),
}


@pytest.mark.parametrize("content", UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_another_version_is_unsupported_not_damaged(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(content)

    with pytest.raises(ModelUnsupportedError, match=r"^model\.gguf cannot be run: "):
        read_gguf_header(file)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError):
        read_gguf_header(tmp_path / "none.gguf")


def test_a_file_that_shrank_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    array = gguf_key("words", gguf_array(STRING_TYPE, 2, gguf_string("a") + gguf_string("b")))
    file.write_bytes(gguf_bytes([array], []))
    header = read_gguf_header(file)
    words = header.values["words"]
    assert isinstance(words, GgufArray)
    file.write_bytes(file.read_bytes()[: words.offset + 4])

    with pytest.raises(ModelBrokenError):
        string_at(header, words, 1)
