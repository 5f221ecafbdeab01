"""A chat's current path as Markdown: for reading and passing on, not for importing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

import msgspec

from runtime.values.chat import Chat, ChatMessage, MessageState
from runtime.values.prompt import Role


class MarkdownLabels(msgspec.Struct, frozen=True, kw_only=True):
    """The words that are not from the chat itself; whoever shows another language gives its own."""

    untitled: str = "Untitled chat"
    system_prompt: str = "System prompt"
    user: str = "You"
    assistant: str = "Assistant"
    reasoning: str = "Reasoning"
    stopped: str = "Stopped here by the user."
    interrupted: str = "Interrupted here."
    failed: str = "Failed here"
    streaming: str = "Still being written."


ENGLISH = MarkdownLabels()


def markdown_of(chat: Chat, path: Sequence[ChatMessage], labels: MarkdownLabels = ENGLISH) -> str:
    """Return a chat as Markdown: title, system prompt, then each message under a heading, its text as it stands."""
    parts = [f"# {chat.title or labels.untitled}"]
    if chat.system_prompt:
        parts += [f"**{labels.system_prompt}**", quoted(chat.system_prompt)]
    for message in path:
        parts.extend(_message_parts(message, labels))
    return "\n\n".join(part for part in parts if part) + "\n"


def quoted(text: str) -> str:
    """Return `text` as a Markdown quote."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _message_parts(message: ChatMessage, labels: MarkdownLabels) -> Iterator[str]:
    yield "---"
    yield f"## {_speaker(message, labels)}"
    if message.reasoning:
        yield quoted(f"**{labels.reasoning}**\n\n{message.reasoning.strip()}")
    yield message.text.strip("\n")
    note = _note(message, labels)
    if note:
        yield f"*{note}*"


def _speaker(message: ChatMessage, labels: MarkdownLabels) -> str:
    if message.role is Role.USER:
        return labels.user
    facts = [fact for fact in (message.model, message.quantization and message.quantization.name) if fact]
    return f"{labels.assistant} ({', '.join(facts)})" if facts else labels.assistant


def _note(message: ChatMessage, labels: MarkdownLabels) -> str:
    match message.state:
        case MessageState.COMPLETE:
            return ""
        case MessageState.STOPPED:
            return labels.stopped
        case MessageState.INTERRUPTED:
            return labels.interrupted
        case MessageState.STREAMING:
            return labels.streaming
        case MessageState.FAILED:
            return f"{labels.failed}: {message.error.what}" if message.error else f"{labels.failed}."
        case _:
            assert_never(message.state)
