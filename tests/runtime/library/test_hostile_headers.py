"""Whatever the bytes are, reading a model ends in a `ModelSpec` or a `UserFacingError`, within bounded memory."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.library.reader import read_spec
from runtime.values.errors import UserFacingError
from tests.models.random_gguf import write_random_gguf
from tests.models.random_mlx import write_random_mlx
from tests.models.raw_headers import UINT32, gguf_array, gguf_bytes, gguf_key, gguf_string, safetensors_bytes

FLIPS = 300
MOST_BYTES = 64_000_000
"""More than any of these files can be worth: the widest header here is 2 MB."""


def _read(path: Path) -> None:
    """Read whatever is at `path`; any other exception than a `UserFacingError` fails the test."""
    problem: UserFacingError | None = None
    parameters = 0
    try:
        parameters = read_spec(path).parameters
    except UserFacingError as error:
        problem = error
    if problem is None:
        assert parameters > 0
    else:
        assert problem.what.isprintable()
        assert problem.next_step


@contextmanager
def _bounded_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("hostile") / "model.gguf"
    write_random_gguf(file)
    return file


@pytest.fixture(scope="module")
def mlx_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "model"
    write_random_mlx(folder, quantized_bits=4)
    return folder


def _header_end(content: bytes) -> int:
    """Return where the weights begin, give or take: flips behind that change nothing a header reader sees."""
    last_name = content.rindex(b"output.weight")
    return last_name + 64


def test_flipped_bits_in_a_gguf_header(gguf_file: Path, tmp_path: Path) -> None:
    content = gguf_file.read_bytes()
    end = _header_end(content)
    generator = random.Random(1)
    damaged = tmp_path / "model.gguf"
    for _ in range(FLIPS):
        changed = bytearray(content)
        for _ in range(generator.choice([1, 1, 1, 4, 32])):
            changed[generator.randrange(end)] = generator.randrange(256)
        damaged.write_bytes(changed)
        _read(damaged)


def test_flipped_bits_in_an_mlx_directory(mlx_folder: Path, tmp_path: Path) -> None:
    for file in mlx_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    generator = random.Random(2)
    for name in ("model.safetensors", "config.json", "tokenizer_config.json", "generation_config.json"):
        file = tmp_path / name
        content = file.read_bytes()
        for _ in range(FLIPS // 3):
            changed = bytearray(content)
            for _ in range(generator.choice([1, 1, 2, 8])):
                changed[generator.randrange(min(len(content), 8000))] = generator.randrange(256)
            file.write_bytes(changed)
            _read(tmp_path)
        file.write_bytes(content)


def test_every_length_of_a_cut_gguf_header(gguf_file: Path, tmp_path: Path) -> None:
    content = gguf_file.read_bytes()
    damaged = tmp_path / "model.gguf"
    for length in range(0, _header_end(content), 97):
        damaged.write_bytes(content[:length])
        with pytest.raises(UserFacingError):
            read_spec(damaged)


@settings(max_examples=150)
@given(data=st.data())
def test_any_numbers_in_any_place_of_a_gguf_header(
    data: st.DataObject, gguf_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Counts, lengths and offsets are eight bytes wide: put the values there that arithmetic goes wrong with."""
    content = bytearray(gguf_file.read_bytes())
    place = data.draw(st.integers(4, _header_end(bytes(content))))
    number = data.draw(st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1]))
    content[place : place + 8] = number.to_bytes(8, "little")
    damaged = tmp_path_factory.mktemp("numbers") / "model.gguf"
    damaged.write_bytes(content)
    _read(damaged)


KNOWN = ["model_type", "num_hidden_layers", "hidden_size", "num_attention_heads", "head_dim", "vocab_size"]
KNOWN += ["quantization", "text_config", "layer_types", "sliding_window", "num_experts", "kv_lora_rank", "eos_token_id"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KNOWN), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150)
@given(keys=st.dictionaries(st.sampled_from(KNOWN), JSON, min_size=1, max_size=6))
def test_any_values_in_a_configuration(
    keys: dict[str, object], mlx_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("values")
    for file in mlx_folder.iterdir():
        (folder / file.name).symlink_to(file)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | keys
    (folder / "config.json").unlink()
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    _read(folder)


@settings(max_examples=150)
@given(content=st.binary(max_size=400) | st.builds(lambda tail: b"GGUF\3\0\0\0" + tail, st.binary(max_size=400)))
def test_any_bytes_as_a_gguf_file(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("any") / "model.gguf"
    file.write_bytes(content)
    _read(file)


BOMBS = {
    "2^40 strings": gguf_bytes([gguf_key("a", gguf_array(8, 2**40, bytes(1_000_000)))], []),
    "7 million empty strings, short file": gguf_bytes([gguf_key("a", gguf_array(8, 7_000_000, bytes(800)))], []),
    "many short arrays": gguf_bytes(
        [gguf_key(f"k{n}", gguf_array(UINT32, 1024, bytes(4096))) for n in range(2000)], []
    ),
    "many keys": gguf_bytes([gguf_key(f"k{n}", n) for n in range(60_000)], []),
    "many tensors claimed": gguf_bytes([], [], tensor_count=65_536),
    "one long text": gguf_bytes([gguf_string("a") + b"\x08\0\0\0" + gguf_string("x" * 2_000_000)], []),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_header_that_promises_much_costs_little(name: str, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(BOMBS[name])

    with _bounded_memory():
        _read(file)


def test_a_safetensors_header_of_many_entries_costs_little(mlx_folder: Path, tmp_path: Path) -> None:
    for file in mlx_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    entries = {f"t{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(30_000)}
    (tmp_path / "model.safetensors").write_bytes(safetensors_bytes(entries))

    with _bounded_memory():
        _read(tmp_path)
