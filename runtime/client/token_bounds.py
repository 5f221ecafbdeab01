"""How many tokens a conversation takes at most, and at least, without asking a tokenizer."""

from __future__ import annotations

from runtime.values.prompt import ChatPrompt, Message

TEMPLATE_TOKENS = 16
"""What a chat template writes around a message, at most: role names and marks."""

LONGEST_TOKEN_BYTES = 512
"""No vocabulary in use has a longer token (the longest are runs of spaces, up to 256 bytes)."""


def most_tokens(prompt: ChatPrompt) -> int:
    """Return more tokens than `prompt` can take: one takes at least one byte."""
    return sum(_bytes(message) + TEMPLATE_TOKENS for message in prompt.messages)


def least_tokens(prompt: ChatPrompt) -> int:
    """Return fewer tokens than `prompt` can take. What fails by this need not be counted, which can take long."""
    return sum(_bytes(message) for message in prompt.messages) // LONGEST_TOKEN_BYTES


def _bytes(message: Message) -> int:
    return len(message.text.encode("utf-8", "replace"))
