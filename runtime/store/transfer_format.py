"""The JSON file chats are exported to: its form, version 1, and the checks a file from anywhere has to pass.

Messages are a flat list, each naming its parent by its place in the list, earlier ones only: so a file cannot hold a
cycle or nest deeply. Ids are not part of it.
"""

from __future__ import annotations

import msgspec

from runtime.values.chat import MessageState
from runtime.values.errors import ErrorReport, InvalidRequestError, StoreError
from runtime.values.generation import GenerationStats, StopReason
from runtime.values.model import Quantization
from runtime.values.prompt import Role
from runtime.values.sampling import SamplingParams, checked

FORMAT_NAME = "first-token-chats"
FORMAT_VERSION = 1
MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_CHATS = 20_000
MAX_MESSAGES = 500_000
MAX_NUMBER = 2**53  # what every JSON reader keeps exact; as a time, far beyond any


class ExportedMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message of an exported chat.

    Attributes:
        parent: place in the list of the message it follows; None for a first message.
        is_chosen: whether it is the version looked at among its siblings.
        role: the user or the assistant.
        text: what was written.
        state: how far it came; never `streaming`.
        created_unix_ms: when it was sent or begun.
        reasoning: the reasoning before the answer.
        reasoning_ms: how long that took.
        stop_reason: why generation ended.
        error: what failed.
        model: what wrote it.
        quantization: how that model's weights were stored.
        stats: its figures.
    """

    parent: int | None
    is_chosen: bool
    role: Role
    text: str
    state: MessageState
    created_unix_ms: int
    reasoning: str = ""
    reasoning_ms: float | None = None
    stop_reason: StopReason | None = None
    error: ErrorReport | None = None
    model: str | None = None
    quantization: Quantization | None = None
    stats: GenerationStats | None = None


class ExportedChat(msgspec.Struct, frozen=True, kw_only=True):
    """A chat and all its branches."""

    title: str
    title_is_automatic: bool
    is_pinned: bool
    created_unix_ms: int
    updated_unix_ms: int
    system_prompt: str
    sampling: SamplingParams
    model: str | None
    messages: tuple[ExportedMessage, ...]


class ChatExport(msgspec.Struct, frozen=True, kw_only=True):
    """The file."""

    format: str = FORMAT_NAME
    version: int = FORMAT_VERSION
    exported_unix_ms: int
    chats: tuple[ExportedChat, ...]


class _Header(msgspec.Struct, frozen=True):
    format: str = ""
    version: int = 0


def parsed(content: bytes) -> ChatExport:
    """Return the chats in a file's content, checked.

    Raises:
        StoreError: it is too large, not an export, of a newer version, or holds something impossible.
    """
    if len(content) > MAX_FILE_BYTES:
        raise _unusable(f"it is larger than {MAX_FILE_BYTES // 1024 // 1024} MB")
    try:
        header = msgspec.json.decode(content, type=_Header)
        _check_header(header)
        export = msgspec.json.decode(content, type=ChatExport)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unusable(str(error)) from error
    _check_sizes(export)
    for chat in export.chats:
        _check_chat(chat)
    return export


def _unusable(reason: str) -> StoreError:
    return StoreError(
        f"This file cannot be imported: {reason}.", "Choose a JSON file that First Token exported.", detail=reason
    )


def _check_header(header: _Header) -> None:
    if header.format != FORMAT_NAME:
        raise _unusable("it does not hold chats of First Token")
    if header.version > FORMAT_VERSION:
        raise StoreError(
            "This file was exported by a newer version of First Token.", "Update First Token to import it."
        )
    if header.version < 1:
        raise _unusable(f"there is no version {header.version}")


def _check_sizes(export: ChatExport) -> None:
    if len(export.chats) > MAX_CHATS:
        raise _unusable(f"it holds {len(export.chats):,} chats; {MAX_CHATS:,} are possible")
    messages = sum(len(chat.messages) for chat in export.chats)
    if messages > MAX_MESSAGES:
        raise _unusable(f"it holds {messages:,} messages; {MAX_MESSAGES:,} are possible")


def _check_chat(chat: ExportedChat) -> None:
    try:
        checked(chat.sampling)
    except InvalidRequestError as error:
        raise _unusable(error.what.rstrip(".")) from error
    _check_times(chat.created_unix_ms, chat.updated_unix_ms)
    for place, message in enumerate(chat.messages):
        _check_message(place, message)


def _check_message(place: int, message: ExportedMessage) -> None:
    if message.parent is not None and not 0 <= message.parent < place:
        raise _unusable(f"message {place} follows message {message.parent}")
    if message.role not in {Role.USER, Role.ASSISTANT}:
        raise _unusable(f"message {place} has the role {message.role}")
    if message.state is MessageState.STREAMING:
        raise _unusable(f"message {place} is not complete")
    _check_times(message.created_unix_ms)
    numbers = msgspec.to_builtins((message.reasoning_ms, message.quantization, message.stats))
    if not _is_bounded(numbers):
        raise _unusable(f"message {place} has a figure out of range")


def _check_times(*times_unix_ms: int) -> None:
    if not all(0 <= time <= MAX_NUMBER for time in times_unix_ms):
        raise _unusable("a time is out of range")


def _is_bounded(value: object) -> bool:
    match value:
        case int() | float():
            return abs(value) <= MAX_NUMBER
        case list() | tuple():
            return all(_is_bounded(item) for item in value)
        case dict():
            return all(_is_bounded(item) for item in value.values())
        case _:
            return True
