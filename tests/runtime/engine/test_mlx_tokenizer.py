"""From prompts to token ids, by tokenizer.json and the chat template."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from tokenizers import Tokenizer, processors

from runtime.engine.mlx_tokenizer import MlxTokenizer, read_tokenizer
from runtime.library.reader import read_spec
from runtime.library.spec import ModelSpec
from runtime.values.errors import ChatTemplateError, ModelBrokenError
from runtime.values.prompt import ChatPrompt, Message, Role, TextPrompt, TokenPrompt
from tests.models.random_gguf import GgufRecipe
from tests.models.random_mlx import write_random_mlx

CHAT = ChatPrompt((Message(Role.USER, "Hello"),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_random_mlx(tmp_path / "model", GgufRecipe(layers=1, feed_forward=64, heads=2))
    return tmp_path / "model"


def plain(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def read(folder: Path, **changes: object) -> MlxTokenizer:
    spec: ModelSpec = msgspec.structs.replace(read_spec(folder), **changes)
    return read_tokenizer(spec)


def test_renders_a_conversation_and_adds_nothing_to_it(folder: Path) -> None:
    tokenizer = plain(folder)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    prompt = read(folder).tokenize(CHAT)
    assert prompt.rendered == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    assert prompt.token_ids == tuple(tokenizer.encode(prompt.rendered, add_special_tokens=False).ids)
    assert read(folder).tokenize(TextPrompt("Hello")).token_ids == tuple(tokenizer.encode("Hello").ids)
    assert read(folder).tokenize(TextPrompt("Hello")).token_ids[0] == 0


def test_takes_token_ids_as_they_are(folder: Path) -> None:
    assert read(folder).tokenize(TokenPrompt((5, 3, 5))).token_ids == (5, 3, 5)


def test_never_cuts_or_pads_a_text(folder: Path) -> None:
    tokenizer = plain(folder)
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=50)
    tokenizer.save(str(folder / "tokenizer.json"))
    text = "The cache keeps keys and values."
    tokenizer.no_truncation()
    tokenizer.no_padding()
    assert read(folder).tokenize(TextPrompt(text)).token_ids == tuple(tokenizer.encode(text).ids)


def test_ends_at_every_token_that_the_model_names(folder: Path) -> None:
    assert read(folder).end_token_ids == {0, 2}
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 9}), encoding="utf-8")
    assert read(folder).end_token_ids == {9, 2}
    assert read(folder, eos_token=None).end_token_ids == {9}
    unknown = "no such token"
    assert read(folder, eos_token=unknown).end_token_ids == {9}


@pytest.mark.parametrize("template", [None, "{% for %}"])
def test_says_that_a_model_cannot_chat_only_when_it_is_asked_to(folder: Path, template: str | None) -> None:
    tokenizer = read(folder, chat_template=template)
    assert tokenizer.tokenize(TextPrompt("Hello")).token_ids
    for _ in range(2):
        with pytest.raises(ChatTemplateError):
            tokenizer.tokenize(CHAT)


EMPTY_PATTERN = {"type": "Replace", "pattern": {"String": ""}, "content": "x"}
FOREIGN_MAP = {"type": "Precompiled", "precompiled_charsmap": "AAAA"}
UNKNOWN_TOKEN = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "nowhere", "type_id": 0}}],
    "pair": [],
    "special_tokens": {},
}


@pytest.mark.parametrize(
    ("part", "value"), [("normalizer", EMPTY_PATTERN), ("normalizer", FOREIGN_MAP), ("post_processor", UNKNOWN_TOKEN)]
)
def test_survives_a_panic_of_the_tokenizers_library(folder: Path, part: str, value: dict[str, object]) -> None:
    file = folder / "tokenizer.json"
    content = {**json.loads(file.read_text(encoding="utf-8")), part: value}
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ModelBrokenError, match="no working tokenizer"):
        read(folder)
