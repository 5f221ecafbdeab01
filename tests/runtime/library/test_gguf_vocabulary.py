"""A vocabulary that repeats a token, as llama.cpp compares them, is found whatever else is in it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.library.gguf_header import WINDOW_BYTES
from runtime.library.gguf_vocabulary import check_tokens_differ
from runtime.values.errors import ModelBrokenError, ModelUnsupportedError
from tests.models.raw_headers import STRING, gguf_array, gguf_bytes, gguf_key, gguf_string

UINT32 = 4


def vocabulary(folder: Path, tokens: list[bytes]) -> Path:
    words = gguf_array(STRING, len(tokens), b"".join(gguf_string(token) for token in tokens))
    file = folder / "m.gguf"
    file.write_bytes(gguf_bytes([gguf_key("tokenizer.ggml.tokens", words), gguf_key("last", 1)], []))
    return file


@pytest.mark.parametrize(
    "tokens",
    [
        [b"a", b"b", b"a"],
        [b"\xff", b"\xff"],
        [b"a", b"a\0b"],
        [b"[EMPTY_1]", b""],
        [b"x" * 500_000, b"y" * 700_000, b"x" * 500_000],
    ],
)
def test_a_token_that_stands_there_twice_is_refused(tmp_path: Path, tokens: list[bytes]) -> None:
    with pytest.raises(ModelUnsupportedError, match="twice") as caught:
        check_tokens_differ(vocabulary(tmp_path, tokens))
    assert caught.value.next_step
    assert len(caught.value.what) < 250


@given(st.lists(st.binary(max_size=20).map(lambda raw: raw.replace(b"\0", b"0")), unique=True))
def test_different_tokens_pass_and_a_repeated_one_does_not(
    tmp_path_factory: pytest.TempPathFactory, tokens: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("vocabulary")
    check_tokens_differ(vocabulary(folder, tokens))
    for repeated in filter(None, tokens):
        with pytest.raises(ModelUnsupportedError):
            check_tokens_differ(vocabulary(folder, [*tokens, repeated]))


def test_empty_tokens_differ_from_each_other(tmp_path: Path) -> None:
    check_tokens_differ(vocabulary(tmp_path, [b"", b"", b"\0", b"\0x"]))


def test_windows_are_read_one_after_the_other(tmp_path: Path) -> None:
    tokens = [struct.pack("<I", index) + b"x" * 96 for index in range(3 * WINDOW_BYTES // 100)]
    tokens = [token.replace(b"\0", b"_") for token in tokens]
    with pytest.raises(ModelUnsupportedError):
        check_tokens_differ(vocabulary(tmp_path, [*dict.fromkeys(tokens), tokens[0]]))


def test_a_text_longer_than_any_token_is_damage(tmp_path: Path) -> None:
    with pytest.raises(ModelBrokenError):
        check_tokens_differ(vocabulary(tmp_path, [b"x" * (WINDOW_BYTES + 1)]))


def test_without_a_vocabulary_there_is_nothing_to_refuse(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(gguf_bytes([gguf_key("tokenizer.ggml.tokens", gguf_array(UINT32, 0))], []))
    check_tokens_differ(file)
