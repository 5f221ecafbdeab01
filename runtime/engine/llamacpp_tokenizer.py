"""Prompts to token ids, by the server's tokenizer and the model's chat template.

The template comes from the GGUF header and is rendered here, within limits, never by the server: it is a program that
came with the model, and one that loops would take the server with it.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from runtime.engine.chat_rendering import ChatRenderer
from runtime.engine.llamacpp_http import ServerClient
from runtime.engine.llamacpp_wire import (
    DETOKENIZE_PATH,
    TOKENIZE_PATH,
    DetokenizeBody,
    Text,
    TokenizeBody,
    Tokens,
    not_understood,
)
from runtime.library.defects import broken
from runtime.library.spec import ModelSpec
from runtime.values.prompt import ChatPrompt, Prompt, TextPrompt, TokenPrompt

TIMEOUT_S = 60.0
PROBE = "Hello"


class TokenizedPrompt(msgspec.Struct, frozen=True):
    """Token ids, and the text that the chat template gave (empty for other prompts)."""

    token_ids: tuple[int, ...]
    rendered: str = ""


class ServerTokenizer:
    """The tokenizer of the model that a server has loaded."""

    def __init__(self, client: ServerClient, spec: ModelSpec) -> None:
        """Find out what the model's sequences begin with.

        Raises:
            ModelBrokenError: the tokenizer turns text into nothing.
            FirstTokenError: the server does not answer.
        """
        self._client = client
        self._spec = spec
        self._chat = ChatRenderer(spec)
        bare = self._encode(PROBE, add_special=False)
        if not bare:
            raise broken(spec.path, f'its tokenizer turns "{PROBE}" into no tokens')
        self._first = _before(bare, self._encode(PROBE, add_special=True))

    def tokenize(self, prompt: Prompt) -> TokenizedPrompt:
        """Return the token ids of `prompt`, chat template included.

        A template may write the token that begins a sequence itself, or leave it to the tokenizer; it is there once.

        Raises:
            ChatTemplateError: the model has no chat template, or it fails.
            FirstTokenError: the server does not answer.
        """
        match prompt:
            case TokenPrompt(token_ids):
                return TokenizedPrompt(token_ids)
            case TextPrompt(text):
                return TokenizedPrompt(self._begun(text))
            case ChatPrompt(messages):
                rendered = self._chat.render(messages)
                return TokenizedPrompt(self._begun(rendered), rendered)
            case _:
                assert_never(prompt)

    def text_of(self, token_id: int) -> str:
        """Return the text of a token by itself.

        Raises:
            FirstTokenError: the server does not answer.
        """
        reply = self._client.call(
            DETOKENIZE_PATH, msgspec.json.encode(DetokenizeBody((token_id,))), timeout_s=TIMEOUT_S
        )
        try:
            return msgspec.json.decode(reply, type=Text).content
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise not_understood(reply) from error

    def _begun(self, text: str) -> tuple[int, ...]:
        token_ids = self._encode(text, add_special=False)
        begins = token_ids[: len(self._first)] == self._first
        return token_ids if begins else self._first + token_ids

    def _encode(self, text: str, *, add_special: bool) -> tuple[int, ...]:
        body = msgspec.json.encode(TokenizeBody(text, add_special))
        reply = self._client.call(TOKENIZE_PATH, body, timeout_s=TIMEOUT_S)
        try:
            return msgspec.json.decode(reply, type=Tokens).tokens
        except msgspec.DecodeError as error:
            raise not_understood(reply) from error


def _before(bare: tuple[int, ...], special: tuple[int, ...]) -> tuple[int, ...]:
    """Return what `special` has in front of `bare`; what it has behind it would end the prompt and is not wanted."""
    for start in range(len(special) - len(bare) + 1):
        if special[start : start + len(bare)] == bare:
            return special[:start]
    return ()
