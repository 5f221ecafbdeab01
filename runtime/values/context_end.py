"""What happens when a conversation fills the model's context: the user's choice."""

from __future__ import annotations

from enum import StrEnum


class ContextEnd(StrEnum):
    """What happens at the end of the context.

    `stop`: the reply ends there and says so; what comes next does not fit.
    `drop-oldest`: the oldest exchanges are not sent to the model any more; they stay in the chat.
    """

    STOP = "stop"
    DROP_OLDEST = "drop-oldest"
