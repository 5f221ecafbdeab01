"""Prompts to token ids, and the text of token ids, from the model's tokenizer.json alone.

The file is read with the `tokenizers` library directly. transformers' own loader chooses a Python class by what the
model's files say, and may run code that came with them; this cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import assert_never

import msgspec
from tokenizers import Tokenizer

from runtime.engine.chat_rendering import ChatRenderer
from runtime.engine.mlx_detokenizer import TokenText
from runtime.library.defects import broken, unsupported
from runtime.library.model_files import read_model_file
from runtime.library.spec import ModelSpec
from runtime.values.prompt import ChatPrompt, Prompt, TextPrompt, TokenPrompt

TOKENIZER_FILE = "tokenizer.json"
MAX_TOKENIZER_BYTES = 256_000_000
PROBE = "Hello"
PANIC = "PanicException"
"""What a panic in the tokenizers library becomes: a `BaseException` whose class nothing exports."""


class TokenizedPrompt(msgspec.Struct, frozen=True):
    """Token ids, and the text that the chat template gave (empty for other prompts)."""

    token_ids: tuple[int, ...]
    rendered: str = ""


class MlxTokenizer:
    """The tokenizer of one model.

    Attributes:
        end_token_ids: ids that end a reply.
        text: the text of tokens.
    """

    def __init__(self, tokenizer: Tokenizer, spec: ModelSpec) -> None:
        self._tokenizer = tokenizer
        self._spec = spec
        self._chat = ChatRenderer(spec)
        self.text = TokenText(tokenizer)
        named = tokenizer.token_to_id(spec.eos_token) if spec.eos_token else None
        self.end_token_ids = frozenset(spec.end_token_ids) | ({named} if named is not None else set())

    def tokenize(self, prompt: Prompt) -> TokenizedPrompt:
        """Return the token ids of `prompt`, chat template included.

        Raises:
            ChatTemplateError: the model has no chat template, or it fails.
            ModelBrokenError: the tokenizer fails.
        """
        match prompt:
            case TokenPrompt(token_ids):
                return TokenizedPrompt(token_ids)
            case TextPrompt(text):
                return TokenizedPrompt(self._encode(text, special_tokens=True))
            case ChatPrompt(messages):
                # The template writes the special tokens itself.
                rendered = self._chat.render(messages)
                return TokenizedPrompt(self._encode(rendered, special_tokens=False), rendered)
            case _:
                assert_never(prompt)

    def _encode(self, text: str, *, special_tokens: bool) -> tuple[int, ...]:
        with _damage_told(self._spec.path / TOKENIZER_FILE):
            return tuple(self._tokenizer.encode(text, add_special_tokens=special_tokens).ids)


def read_tokenizer(spec: ModelSpec) -> MlxTokenizer:
    """Return the tokenizer of the model that `spec` describes.

    Raises:
        ModelBrokenError: tokenizer.json cannot be read, or turns text into nothing.
        ModelUnsupportedError: the tokenizer has another form.
    """
    file = spec.path / TOKENIZER_FILE
    if not file.exists():
        raise unsupported(
            spec.path, f"its tokenizer is not in {TOKENIZER_FILE}", "Choose an MLX or GGUF version of the model."
        )
    return MlxTokenizer(_read(file), spec)


def _read(file: Path) -> Tokenizer:
    content = read_model_file(file, MAX_TOKENIZER_BYTES)
    with _damage_told(file):
        tokenizer = Tokenizer.from_buffer(content)
        # What the file may ask for is meant for training: cutting long texts, filling up short ones.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokens = tokenizer.encode(PROBE).ids
        tokenizer.decode(tokens, skip_special_tokens=False)
    if not tokens:
        raise broken(file, f'it turns "{PROBE}" into no tokens')
    return tokenizer


@contextmanager
def _damage_told(file: Path) -> Iterator[None]:
    """Turn what the tokenizers library raises into a `ModelBrokenError`."""
    try:
        yield
    except Exception as error:
        raise broken(file, "it holds no working tokenizer", repr(error)) from error
    except BaseException as error:
        if type(error).__name__ != PANIC:
            raise
        raise broken(file, "it holds no working tokenizer", repr(error)) from error
