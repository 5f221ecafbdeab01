"""From the messages of a chat to what the model is asked, and whether that can fit its context. No Qt, no disk."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.values.chat import ChatMessage, MessageId
from runtime.values.errors import ContextOverflowError
from runtime.values.model import LoadedModel
from runtime.values.prompt import ChatPrompt, Message, Role


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


def too_long(tokens: int, model: LoadedModel, *, is_counted: bool) -> ContextOverflowError:
    """Return the error of a prompt of so many tokens, or of more where they were not counted."""
    number = f"{tokens:,}" if is_counted else f"more than {tokens:,}"
    return ContextOverflowError(
        f"The message and what precedes it take {number} tokens; this context holds {model.context_limit_tokens:,}.",
        "Shorten it, start a new chat, or load the model with a longer context. Nothing was sent.",
    )
