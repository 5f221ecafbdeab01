"""From the messages of a chat to what the model is asked, and whether that can fit its context. No Qt, no disk."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.values.chat import ChatMessage, MessageId
from runtime.values.errors import ContextOverflowError
from runtime.values.model import LoadedModel
from runtime.values.prompt import ChatPrompt, Message, Role

TEMPLATE_TOKENS = 16
"""What a chat template writes around a message, at most: role names and marks."""

LONGEST_TOKEN_BYTES = 512
"""No vocabulary in use has a longer token (the longest are runs of spaces, up to 256 bytes)."""


def prompt_through(system_prompt: str, path: Iterable[ChatMessage], last: MessageId | None) -> ChatPrompt:
    """Return the conversation up to and with message `last`; None is before the first one.

    Messages without text (replies that failed before their first token) are left out.
    """
    messages = [Message(Role.SYSTEM, system_prompt)] if system_prompt else []
    if last is not None:
        for message in path:
            if message.text:
                messages.append(Message(message.role, message.text))
            if message.id == last:
                break
    return ChatPrompt(tuple(messages))


def with_question(prompt: ChatPrompt, text: str) -> ChatPrompt:
    """Return `prompt` and after it what the user wrote."""
    return ChatPrompt((*prompt.messages, Message(Role.USER, text)))


def most_tokens(prompt: ChatPrompt) -> int:
    """Return more tokens than `prompt` can take: one takes at least one byte."""
    return sum(_bytes(message) + TEMPLATE_TOKENS for message in prompt.messages)


def least_tokens(prompt: ChatPrompt) -> int:
    """Return fewer tokens than `prompt` can take. What fails by this need not be counted, which can take long."""
    return sum(_bytes(message) for message in prompt.messages) // LONGEST_TOKEN_BYTES


def too_long(tokens: int, model: LoadedModel, *, is_counted: bool) -> ContextOverflowError:
    """Return the error of a prompt of so many tokens, or of more where they were not counted."""
    number = f"{tokens:,}" if is_counted else f"more than {tokens:,}"
    return ContextOverflowError(
        f"The message and what precedes it take {number} tokens; this context holds {model.context_limit_tokens:,}.",
        "Shorten it, start a new chat, or load the model with a longer context. Nothing was sent.",
    )


def _bytes(message: Message) -> int:
    return len(message.text.encode("utf-8", "replace"))
