"""Chats as people see them: a tree of messages, presets, and what a search finds.

Times are milliseconds since 1970 UTC. Offsets into text count code points, as Python does; Qt counts UTF-16 units.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import NewType

import msgspec

from runtime.values.errors import ErrorReport
from runtime.values.generation import GenerationStats, StopReason
from runtime.values.model import Quantization
from runtime.values.prompt import Role
from runtime.values.sampling import SamplingParams

ChatId = NewType("ChatId", int)
MessageId = NewType("MessageId", int)


def new_uid() -> str:
    """Return a key that no other chat has."""
    return os.urandom(16).hex()


class MessageState(StrEnum):
    """How far a message has come.

    `interrupted` is a reply whose writer ended in the middle (the app was killed); `stopped` is one the user ended.
    """

    STREAMING = "streaming"
    COMPLETE = "complete"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class ChatSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of chats shows of one.

    Attributes:
        id: the chat.
        title: its title; empty until the first message or a rename.
        is_pinned: whether the user pinned it.
        created_unix_ms: when it was made.
        updated_unix_ms: when a message was last added to it or finished.
        uid: a key that is its own in every database and never changes: what is kept of it elsewhere is labelled so.
    """

    id: ChatId
    title: str
    is_pinned: bool
    created_unix_ms: int
    updated_unix_ms: int
    uid: str


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a chat but its messages.

    Attributes:
        id: the chat.
        title: its title; empty until the first message or a rename.
        title_is_automatic: whether the title was made from the chat rather than by the user.
        is_pinned: whether the user pinned it.
        created_unix_ms: when it was made.
        updated_unix_ms: when a message was last added to it or finished.
        system_prompt: what precedes every conversation; empty for none.
        sampling: how tokens are chosen.
        model: name of the model last chosen for it.
        draft: what stands in the composer, not yet sent.
        uid: see `ChatSummary`.
    """

    id: ChatId
    title: str
    title_is_automatic: bool
    is_pinned: bool
    created_unix_ms: int
    updated_unix_ms: int
    system_prompt: str
    sampling: SamplingParams
    model: str | None
    draft: str
    uid: str


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a chat, with its place in the tree.

    Attributes:
        id: the message.
        chat_id: the chat it belongs to.
        parent_id: the message it answers or follows; None for a first message.
        sibling_ids: every version at this place, itself included, oldest first.
        role: the user or the assistant.
        text: what was written, or the answer without the reasoning.
        reasoning: the reasoning before the answer; empty for none.
        reasoning_ms: how long the reasoning took; None if unknown or none.
        state: how far it has come.
        stop_reason: why generation ended; None for user messages and for replies that did not end by themselves.
        error: what failed, for state `failed`.
        model: name of the model that wrote it; None for user messages.
        quantization: how that model's weights were stored.
        stats: its figures; `token_times_ms` is empty here, see `Messages.stats_of`.
        created_unix_ms: when it was sent or begun.
    """

    id: MessageId
    chat_id: ChatId
    parent_id: MessageId | None
    sibling_ids: tuple[MessageId, ...]
    role: Role
    text: str
    reasoning: str
    reasoning_ms: float | None
    state: MessageState
    stop_reason: StopReason | None
    error: ErrorReport | None
    model: str | None
    quantization: Quantization | None
    stats: GenerationStats | None
    created_unix_ms: int

    @property
    def sibling_index(self) -> int:
        """Which of its siblings this is, from 0."""
        return self.sibling_ids.index(self.id)


class ReplyEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a reply ended.

    Attributes:
        state: anything but `streaming`.
        stop_reason: why generation ended, where it ended by itself.
        error: what failed.
        stats: the figures, token times included.
        reasoning_ms: how long the reasoning took; None keeps what is known.
    """

    state: MessageState
    stop_reason: StopReason | None = None
    error: ErrorReport | None = None
    stats: GenerationStats | None = None
    reasoning_ms: float | None = None


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A named way of talking to a model: system prompt and sampler settings."""

    name: str
    system_prompt: str
    sampling: SamplingParams


class TextRange(msgspec.Struct, frozen=True):
    """Code points `start` to `end` (exclusive) of a text."""

    start: int
    end: int


class Snippet(msgspec.Struct, frozen=True):
    """A piece of text around a hit, on one line, and the ranges of it that were searched for."""

    text: str
    highlights: tuple[TextRange, ...]


class TitleHit(msgspec.Struct, frozen=True, kw_only=True):
    """A chat whose title holds every term."""

    chat: ChatSummary
    title: Snippet


class MessageHit(msgspec.Struct, frozen=True, kw_only=True):
    """A message that holds every term."""

    chat: ChatSummary
    message_id: MessageId
    role: Role
    created_unix_ms: int
    snippet: Snippet


class SearchResults(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found.

    Attributes:
        titles: chats by title, last updated first.
        messages: messages of any branch, newest first.
        is_truncated: whether there is more than the limit asked for.
    """

    titles: tuple[TitleHit, ...]
    messages: tuple[MessageHit, ...]
    is_truncated: bool


class DamageNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A database file that could not be used, was kept aside, and was replaced by a new one.

    Attributes:
        kept_aside: path of the damaged file, under its new name.
        reason: what is wrong with it, in the words of the database library.
        salvaged_chats: chats that could be read from it into the new one.
        salvaged_messages: messages that could be read from it.
    """

    kept_aside: str
    reason: str
    salvaged_chats: int
    salvaged_messages: int
