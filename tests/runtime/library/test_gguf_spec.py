"""GGUF metadata: numbers that native code would trust are bounded, and layers are laid out as llama.cpp does."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from runtime.library.gguf_spec import part_paths
from runtime.library.reader import read_spec
from runtime.library.spec import Experts, KvLayers
from runtime.values.errors import ModelBrokenError, ModelUnsupportedError, UserFacingError
from tests.models.random_gguf import write_random_gguf
from tests.models.raw_headers import gguf_array, gguf_bytes, gguf_key, gguf_string, gguf_tensor

U16, I32, F32, BOOL, STRING = 2, 5, 6, 7, 8
TOKENS = 4
LAYERS = 6
BLOCK_BYTES = 32


def _numbers(*values: int) -> tuple[int, bytes]:
    return gguf_array(I32, len(values), struct.pack(f"<{len(values)}i", *values))


def _flags(digits: str) -> tuple[int, bytes]:
    return gguf_array(BOOL, len(digits), bytes(int(digit) for digit in digits))


def _floats(count: int) -> tuple[int, bytes]:
    return gguf_array(F32, count, bytes(4 * count))


def _words(count: int) -> tuple[int, bytes]:
    return gguf_array(STRING, count, b"".join(gguf_string(f"t{index}") for index in range(count)))


KEYS: dict[str, object] = {
    "general.architecture": "test",
    "test.block_count": LAYERS,
    "test.context_length": 1000,
    "test.embedding_length": 8,
    "test.attention.head_count": 4,
    "test.attention.head_count_kv": 2,
    "test.attention.key_length": 16,
    "test.attention.value_length": 8,
    "tokenizer.ggml.tokens": _words(TOKENS),
    "tokenizer.ggml.eos_token_id": 3,
}


def _write(file: Path, changes: dict[str, object], *, architecture: str = "test", blocks: int = LAYERS) -> Path:
    """Write a model of `blocks` one-tensor blocks; the value `...` leaves a key out."""
    keys = {**KEYS, "general.architecture": architecture, **changes}
    raw = [gguf_key(key.replace("test.", f"{architecture}."), value) for key, value in keys.items() if value is not ...]
    tensors = [gguf_tensor("token_embd.weight", (8, TOKENS))]
    start = 8 * TOKENS * 4
    tensors += [gguf_tensor(f"blk.{n}.w", (8,), offset=start + n * BLOCK_BYTES) for n in range(blocks)]
    file.write_bytes(gguf_bytes(raw, tensors, bytes(start + blocks * BLOCK_BYTES)))
    return file


def test_the_plain_model_is_read(tmp_path: Path) -> None:
    spec = read_spec(_write(tmp_path / "m.gguf", {}))

    assert spec.kv_layers == (KvLayers(layers=6, kv_heads=2, key_dim=16, value_dim=8),)
    assert (spec.vocabulary_size, spec.context_tokens, spec.eos_token) == (4, 1000, "t3")
    assert spec.parameters == 8 * TOKENS + LAYERS * 8


BROKEN: dict[str, dict[str, object]] = {
    "no architecture": {"general.architecture": ...},
    "architecture a number": {"general.architecture": 7},
    "no block count": {"test.block_count": ...},
    "no blocks": {"test.block_count": 0},
    "one block too many": {"test.block_count": LAYERS + 1},
    "huge block count": {"test.block_count": 2**31},
    "block count a text": {"test.block_count": "6"},
    "block count fractional": {"test.block_count": 6.0},
    "no width": {"test.embedding_length": ...},
    "other width": {"test.embedding_length": 16},
    "heads 2^31": {"test.attention.head_count": 2**31},
    "kv heads do not divide": {"test.attention.head_count_kv": 3},
    "too few per-layer heads": {"test.attention.head_count": _numbers(4, 4)},
    "negative per-layer heads": {"test.attention.head_count": _numbers(4, 4, -4, 4, 4, 4)},
    "fractional per-layer heads": {"test.attention.head_count": _floats(6)},
    "per-layer heads too long to keep": {"test.attention.head_count": _numbers(*([4] * 2000))},
    "key length huge": {"test.attention.key_length": 2**30},
    "context 0": {"test.context_length": 0},
    "epsilon not a number": {"test.attention.layer_norm_rms_epsilon": float("nan")},
    "epsilon negative": {"test.attention.layer_norm_rms_epsilon": -1.0},
    "epsilon a text": {"test.attention.layer_norm_rms_epsilon": "x"},
    "rotation 0": {"test.rope.freq_base": 0.0},
    "rotation endless": {"test.rope.freq_base": float("inf")},
    "any number endless": {"test.anything": float("inf")},
    "more experts used than there": {"test.expert_count": 4, "test.expert_used_count": 5},
    "no experts used": {"test.expert_count": 4, "test.expert_used_count": 0},
    "huge expert count": {"test.expert_count": 100_000, "test.expert_used_count": 2},
    "window pattern short": {"test.attention.sliding_window_pattern": _flags("10")},
    "no tokens": {"tokenizer.ggml.tokens": ...},
    "tokens a text": {"tokenizer.ggml.tokens": "t0 t1"},
    "tokens empty": {"tokenizer.ggml.tokens": _words(0)},
    "tokens numbers": {"tokenizer.ggml.tokens": _numbers(*range(TOKENS))},
    "vocabulary and embedding differ": {"tokenizer.ggml.tokens": _words(TOKENS + 1)},
    "scores short": {"tokenizer.ggml.scores": _floats(TOKENS - 1)},
    "scores whole numbers": {"tokenizer.ggml.scores": _numbers(*range(TOKENS))},
    "types short": {"tokenizer.ggml.token_type": _numbers(1)},
    "types fractional": {"tokenizer.ggml.token_type": _floats(TOKENS)},
    "types long and short": {"tokenizer.ggml.token_type": _numbers(*([1] * 2000))},
    "end token a text": {"tokenizer.ggml.eos_token_id": "t3"},
}


@pytest.mark.parametrize("case", BROKEN)
def test_metadata_that_makes_no_sense_is_damage(tmp_path: Path, case: str) -> None:
    with pytest.raises(ModelBrokenError, match=r"m\.gguf is damaged"):
        read_spec(_write(tmp_path / "m.gguf", BROKEN[case]))


@pytest.mark.parametrize("changes", [{"general.type": "adapter"}, {"general.type": "mmproj"}])
def test_files_that_are_no_model_by_themselves(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(ModelUnsupportedError, match=r"(of|for) another model"):
        read_spec(_write(tmp_path / "m.gguf", changes))


def test_a_vision_part_is_no_model_by_itself(tmp_path: Path) -> None:
    with pytest.raises(ModelUnsupportedError, match="vision part"):
        read_spec(_write(tmp_path / "m.gguf", {}, architecture="clip"))


def test_good_per_token_arrays_pass(tmp_path: Path) -> None:
    arrays: dict[str, object] = {
        "tokenizer.ggml.scores": _floats(TOKENS),
        "tokenizer.ggml.token_type": _numbers(*([1] * TOKENS)),
    }
    assert read_spec(_write(tmp_path / "m.gguf", arrays)).vocabulary_size == TOKENS


@pytest.mark.parametrize("end_id", [TOKENS, 2**32 - 1])
def test_an_end_token_outside_the_vocabulary_is_none(tmp_path: Path, end_id: int) -> None:
    spec = read_spec(_write(tmp_path / "m.gguf", {"tokenizer.ggml.eos_token_id": end_id}))

    assert (spec.eos_token, spec.end_token_ids) == (None, ())


def test_blocks_that_only_predict_may_be_left_out(tmp_path: Path) -> None:
    changes: dict[str, object] = {"test.nextn_predict_layers": 2}
    spec = read_spec(_write(tmp_path / "m.gguf", changes, blocks=LAYERS - 2))

    assert spec.kv_layers == (KvLayers(layers=LAYERS - 2, kv_heads=2, key_dim=16, value_dim=8),)


def _windows(file: Path) -> list[tuple[int, int | None]]:
    return [(run.layers, run.window_tokens) for run in read_spec(file).kv_layers]


def test_windows_by_flag_by_period_and_by_architecture(tmp_path: Path) -> None:
    window: dict[str, object] = {"test.attention.sliding_window": 128}
    name = "test.attention.sliding_window_pattern"
    flags = window | {name: _flags("110110")}
    file = tmp_path / "m.gguf"

    assert _windows(_write(file, flags)) == [(2, 128), (1, None), (2, 128), (1, None)]
    assert _windows(_write(file, window | {name: 3})) == [(2, 128), (1, None), (2, 128), (1, None)]
    assert _windows(_write(file, window, architecture="gemma3")) == [(5, 128), (1, None)]
    assert _windows(_write(file, window)) == [(6, None)]
    assert _windows(_write(file, window | {name: 0})) == [(6, None)]


def test_hybrids_keep_keys_only_where_there_is_attention(tmp_path: Path) -> None:
    changes: dict[str, object] = {"test.attention.head_count_kv": _numbers(0, 0, 2, 0, 0, 2)}
    spec = read_spec(_write(tmp_path / "m.gguf", changes))

    assert spec.kv_layers == (KvLayers(layers=2, kv_heads=2, key_dim=16, value_dim=8),)


def test_a_model_without_attention_has_no_kv_cache(tmp_path: Path) -> None:
    changes: dict[str, object] = {"test.attention.head_count": 0, "test.attention.head_count_kv": 0}
    spec = read_spec(_write(tmp_path / "m.gguf", changes))

    assert (spec.kv_layers, spec.attention_heads, spec.kv_heads) == ((), None, None)


def test_latent_attention_shared_layers_and_experts(tmp_path: Path) -> None:
    changes: dict[str, object] = {
        "test.attention.key_length_mla": 24,
        "test.attention.head_count_kv": 1,
        "test.attention.shared_kv_layers": 2,
        "test.expert_count": 8,
        "test.expert_used_count": 2,
    }
    spec = read_spec(_write(tmp_path / "m.gguf", changes))

    assert spec.kv_layers == (KvLayers(layers=4, kv_heads=1, key_dim=16, value_dim=0),)
    assert spec.experts == Experts(2, 8)


def test_parts_are_one_model(tmp_path: Path) -> None:
    whole = tmp_path / "whole.gguf"
    write_random_gguf(whole)
    expected = read_spec(whole)
    first, second = tmp_path / "big-00001-of-00002.gguf", tmp_path / "big-00002-of-00002.gguf"
    _split_in_two(whole, first, second)

    for part in (first, second):
        spec = read_spec(part)
        assert (spec.name, spec.path) == ("big", first)
        assert spec.parameters == expected.parameters + 128 * 64
        assert spec.weights_bytes == expected.weights_bytes + 128 * 64 * 4

    second.unlink()
    with pytest.raises(ModelBrokenError, match="big-00002-of-00002"):
        read_spec(first)


def _split_in_two(whole: Path, first: Path, second: Path) -> None:
    """Keep the file as the first part with one tensor renamed; the second part holds the one that is missing then."""
    content = whole.read_bytes()
    name = b"blk.1.ffn_down.weight"
    first.write_bytes(content.replace(name, b"x" * len(name)))
    row = gguf_tensor(name, (128, 64))
    second.write_bytes(gguf_bytes([gguf_key("split.no", (U16, struct.pack("<H", 1)))], [row], bytes(128 * 64 * 4)))


@pytest.mark.parametrize("name", ["m-00000-of-00002.gguf", "m-00003-of-00002.gguf", "m-00001-of-99999.gguf"])
def test_impossible_part_numbers(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserFacingError):
        part_paths(tmp_path / name)


def test_a_tensor_in_two_parts_is_damage(tmp_path: Path) -> None:
    for number in (1, 2):
        _write(tmp_path / f"m-0000{number}-of-00002.gguf", {})

    with pytest.raises(ModelBrokenError, match="same tensor"):
        read_spec(tmp_path / "m-00001-of-00002.gguf")
