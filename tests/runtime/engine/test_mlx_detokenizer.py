"""Streamed text is the text of all tokens together, whole characters only, whatever the tokenizer."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from runtime.engine.mlx_detokenizer import ByteDetokenizer, TokenText, WindowDetokenizer
from tests.models.tiny_tokenizer import write_tokenizer

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
HARD_TEXT = "naïve 日本語 👩‍🚀🇩🇪 e\u0301 \x00\u200d end "
WORD_BOUNDARY = "\u2581"


@cache
def byte_level() -> Tokenizer:
    with TemporaryDirectory() as folder:
        tokenizer = write_tokenizer(Path(folder))
    # One added token is made of characters that also stand for bytes, one is not.
    tokenizer.add_tokens(["Ġhello", "日本"])
    return tokenizer


@cache
def sentencepiece(*, strips_first_space: bool) -> Tokenizer:
    """Return a tokenizer in the form of Llama 2's: words begin with U+2581, other characters are spelled in bytes."""
    pieces = [*(f"<0x{byte:02X}>" for byte in range(256)), WORD_BOUNDARY, *"abcdehlnorwï", "日"]
    tokenizer = Tokenizer(
        models.BPE({piece: index for index, piece in enumerate(["<unk>", *pieces])}, [], byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(WORD_BOUNDARY), normalizers.Replace(" ", WORD_BOUNDARY)]
    )
    strip = [decoders.Strip(" ", 1, 0)] if strips_first_space else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(WORD_BOUNDARY, " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
    )
    return tokenizer


@cache
def metaspace() -> Tokenizer:
    pieces = ["<unk>", WORD_BOUNDARY, *"abcdefghijklmnopqrstuvwxyz"]
    tokenizer = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def streamed(tokenizer: Tokenizer, token_ids: list[int]) -> list[str]:
    detokenizer = TokenText(tokenizer).detokenizer()
    return [*(detokenizer.feed(token_id) for token_id in token_ids), detokenizer.flush()]


def id_of(tokenizer: Tokenizer, token: str) -> int:
    found = tokenizer.token_to_id(token)
    assert found is not None
    return found


def decoded(tokenizer: Tokenizer, token_ids: list[int]) -> str:
    return tokenizer.decode(token_ids, skip_special_tokens=False)


@given(st.lists(st.integers(0, byte_level().get_vocab_size() + 5), max_size=40))
def test_gives_the_text_of_any_tokens_of_a_byte_level_vocabulary(token_ids: list[int]) -> None:
    assert "".join(streamed(byte_level(), token_ids)) == decoded(byte_level(), token_ids)


@given(TEXTS)
@example(HARD_TEXT)
def test_gives_whole_characters_only_of_a_byte_level_vocabulary(text: str) -> None:
    pieces = streamed(byte_level(), byte_level().encode(text).ids)
    normal = normalizers.NFC().normalize_str(text)
    assert "".join(pieces) == normal
    assert sum(piece.count("\ufffd") for piece in pieces) == normal.count("\ufffd")


@pytest.mark.parametrize("strips_first_space", [True, False])
@given(text=TEXTS)
@example(text=HARD_TEXT)
@example(text="  two")
def test_gives_the_text_of_a_sentencepiece_vocabulary(text: str, *, strips_first_space: bool) -> None:
    tokenizer = sentencepiece(strips_first_space=strips_first_space)
    token_ids = tokenizer.encode(text).ids
    assert "".join(streamed(tokenizer, token_ids)) == decoded(tokenizer, token_ids)


@given(st.lists(st.text("abcxyz", min_size=1, max_size=4), max_size=8))
def test_gives_the_text_of_a_vocabulary_whose_tokens_depend_on_each_other(words: list[str]) -> None:
    token_ids = metaspace().encode(" ".join(words)).ids
    assert "".join(streamed(metaspace(), token_ids)) == decoded(metaspace(), token_ids)


def test_holds_text_back_only_until_a_character_is_whole() -> None:
    tokenizer = byte_level()
    rocket = [id_of(tokenizer, character) for character in "ðŁļĢ"]
    assert streamed(tokenizer, rocket) == ["", "", "", "🚀", ""]


def test_shows_that_bytes_are_missing_at_the_end() -> None:
    tokenizer = byte_level()
    assert streamed(tokenizer, [id_of(tokenizer, character) for character in "ðŁ"]) == ["", "", "\ufffd"]


def test_does_not_wait_for_ever_for_a_character_that_never_comes() -> None:
    detokenizer = WindowDetokenizer(lambda token_ids: "\ufffd" * len(token_ids))
    pieces = [detokenizer.feed(token_id) for token_id in range(12)]
    assert "".join(pieces) + detokenizer.flush() == "\ufffd" * 12
    assert pieces[3] == "\ufffd" * 4


def test_takes_the_way_by_bytes_for_the_usual_vocabularies() -> None:
    usual = [byte_level(), sentencepiece(strips_first_space=True), sentencepiece(strips_first_space=False)]
    assert all(isinstance(TokenText(tokenizer).detokenizer(), ByteDetokenizer) for tokenizer in usual)
    assert isinstance(TokenText(metaspace()).detokenizer(), WindowDetokenizer)


def test_gives_nothing_for_ids_beyond_the_tokenizer() -> None:
    assert streamed(byte_level(), [100_000, 2**31 - 1]) == ["", "", ""]


def test_shows_a_token_by_itself() -> None:
    tokenizer = byte_level()
    tokenizer.add_special_tokens([AddedToken("<|im_end|>", special=True)])
    text = TokenText(tokenizer)
    assert text.text_of(id_of(tokenizer, "<|im_end|>")) == "<|im_end|>"
    assert text.text_of(id_of(tokenizer, "ð")) == "\ufffd"
    assert TokenText(metaspace()).text_of(id_of(metaspace(), "x")) == "x"
