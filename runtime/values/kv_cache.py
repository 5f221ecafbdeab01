"""What is kept of conversations so that no prompt is read twice, and where a prompt left what was kept of its own."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from runtime.values.prompt import Role


class CacheOrigin(StrEnum):
    """Where the tokens of a prompt came from that did not have to be evaluated."""

    NONE = "none"
    MEMORY = "memory"
    DISK = "disk"


class KeptCache(msgspec.Struct, frozen=True, kw_only=True):
    """A KV cache that the worker keeps in memory.

    Attributes:
        conversation: whose it is, as `GenerateRequest.conversation` says; "" where that is not known.
        tokens: how many tokens are in it.
        nbytes: what it takes in memory.
        is_private: it never leaves memory.
    """

    conversation: str
    tokens: int
    nbytes: int
    is_private: bool = False


class PrefixBreak(msgspec.Struct, frozen=True, kw_only=True):
    """The first token of a prompt that is another one than what was kept of the same conversation.

    Attributes:
        token_index: its place in the prompt; so many tokens are the same.
        kept_text: the text of the token that was kept there.
        prompt_text: the text of the prompt's token.
        message_index: which of the prompt's messages it belongs to; None where that cannot be told.
        messages_after: how many messages follow that one.
        role: who speaks in it.
    """

    token_index: int
    kept_text: str
    prompt_text: str
    message_index: int | None = None
    messages_after: int = 0
    role: Role | None = None
