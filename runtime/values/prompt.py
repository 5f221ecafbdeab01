"""What a model is asked: chat messages, plain text, or token ids."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """Who speaks in a chat, in the words chat templates use."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Message(msgspec.Struct, frozen=True):
    """One message of a chat."""

    role: Role
    text: str


class ChatPrompt(msgspec.Struct, frozen=True, tag="chat"):
    """A conversation, to be rendered by the model's own chat template.

    Attributes:
        messages: oldest first. If the last one is the assistant's, the model continues it.
    """

    messages: tuple[Message, ...]


class TextPrompt(msgspec.Struct, frozen=True, tag="text"):
    """Plain text, tokenized as it is, without a chat template."""

    text: str


class TokenPrompt(msgspec.Struct, frozen=True, tag="tokens"):
    """Token ids of the loaded model's vocabulary, evaluated as they are."""

    token_ids: tuple[int, ...]


Prompt = ChatPrompt | TextPrompt | TokenPrompt
