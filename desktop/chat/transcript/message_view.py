"""What the transcript is told of a message: plain values and finished wording, wherever they come from."""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from runtime.values.chat import MessageId, MessageState
from runtime.values.prompt import Role


class MessageAction(Enum):
    """What a person can ask for beside a message."""

    COPY = auto()
    EDIT = auto()
    REGENERATE = auto()
    CONTINUE = auto()
    DELETE = auto()
    RETRY = auto()
    EXPLAIN_WAIT = auto()


USER_ACTIONS = frozenset({MessageAction.COPY, MessageAction.EDIT, MessageAction.DELETE})
REPLY_ACTIONS = frozenset({MessageAction.COPY, MessageAction.REGENERATE, MessageAction.DELETE})


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it is shown.

    Attributes:
        id: the message.
        role: who wrote it.
        text: markdown of the assistant, plain text of the user.
        state: how far it has come.
        reasoning: markdown; empty for none.
        reasoning_label: what the folded reasoning says of itself: "Thought for 3.2 s".
        figures: the line below it: "182 ms · 39.2 tok/s · 512 tokens · 38 read, 1,204 cached".
        figures_details: more of them, shown as a tooltip.
        status: what is going on while no text has come yet: "Reading the prompt · 40 %".
        notice: what has to be said about its end: that it was interrupted, or what failed and what to do next.
        actions: what can be asked for; RETRY stands beside the notice.
        boundary: what has to be said of this and all earlier messages: that the model is not sent them any more.
        branch_index: which version of the message this is, from 0.
        branch_count: how many versions there are.
    """

    id: MessageId
    role: Role
    text: str
    state: MessageState = MessageState.COMPLETE
    reasoning: str = ""
    reasoning_label: str = ""
    figures: str = ""
    figures_details: str = ""
    status: str = ""
    notice: str = ""
    actions: frozenset[MessageAction] = frozenset()
    boundary: str = ""
    branch_index: int = 0
    branch_count: int = 1
