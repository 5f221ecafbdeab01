"""Figures and chats that tests put into a store."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from runtime.store.opening import Store
from runtime.store.transfer import import_json
from runtime.store.transfer_format import ChatExport, ExportedChat, ExportedMessage
from runtime.values.chat import ChatId, ChatMessage, MessageId, MessageState, ReplyEnd
from runtime.values.generation import GenerationStats, MemoryFigures, StopReason, TextKind, TtftParts
from runtime.values.model import EngineName, Quantization
from runtime.values.prompt import Role
from runtime.values.sampling import SamplingParams

INT4 = Quantization("INT4", 4.5)
STATS = GenerationStats(
    engine=EngineName.MLX,
    model="Qwen3-0.6B",
    quantization=INT4,
    prompt_tokens=120,
    cached_tokens=100,
    generated_tokens=3,
    reasoning_tokens=1,
    ttft_ms=41.25,
    ttft_parts=TtftParts(
        queue_ms=1.0, load_ms=0.0, tokenize_ms=2.5, cache_restore_ms=0.25, prefill_ms=36.5, first_decode_ms=1.0
    ),
    prefill_tokens_per_second=547.9,
    decode_tokens_per_second=80.0,
    token_times_ms=(41.25, 53.75, 66.25),
    memory=MemoryFigures(
        weights_bytes=400_000_000,
        kv_cache_bytes=14_000_000,
        compute_buffer_bytes=None,
        worker_resident_bytes=620_000_000,
        peak_bytes=640_000_000,
    ),
    context_used_tokens=123,
    context_limit_tokens=4096,
)
DONE = ReplyEnd(state=MessageState.COMPLETE, stop_reason=StopReason.END, stats=STATS, reasoning_ms=12.5)


def add_reply(store: Store, chat_id: ChatId, parent_id: MessageId | None, text: str) -> ChatMessage:
    """Write a whole reply."""
    writer = store.replies.begin(chat_id, parent_id, model="Qwen3-0.6B", quantization=INT4)
    writer.append("Let me think. ", TextKind.REASONING)
    writer.append(text, TextKind.ANSWER)
    return writer.finish(DONE)


def add_exchange(store: Store, chat_id: ChatId, question: str, answer: str) -> tuple[ChatMessage, ChatMessage]:
    """Go on at the end of the current path with a question and its answer."""
    path = store.messages.current_path(chat_id)
    asked = store.messages.add_user(chat_id, path[-1].id if path else None, question)
    return asked, add_reply(store, chat_id, asked.id, answer)


def texts(path: tuple[ChatMessage, ...]) -> list[str]:
    """Return the texts of a path."""
    return [message.text for message in path]


def chain_export(title: str, messages: Sequence[str], stats: GenerationStats | None = None) -> ExportedChat:
    """Return a chat without branches, user and assistant in turns."""
    return ExportedChat(
        title=title,
        title_is_automatic=False,
        is_pinned=False,
        created_unix_ms=1_600_000_000_000,
        updated_unix_ms=1_600_000_000_000,
        system_prompt="",
        sampling=SamplingParams(),
        model=None,
        messages=tuple(
            ExportedMessage(
                parent=place - 1 if place else None,
                is_chosen=True,
                role=Role.ASSISTANT if place % 2 else Role.USER,
                text=text,
                state=MessageState.COMPLETE,
                created_unix_ms=1_600_000_000_000 + place,
                stats=stats if place % 2 else None,
            )
            for place, text in enumerate(messages)
        ),
    )


def add_long_chat(store: Store, messages: Sequence[str], stats: GenerationStats | None = None) -> ChatId:
    """Add a chat of many messages at once."""
    export = ChatExport(exported_unix_ms=0, chats=(chain_export("long", messages, stats),))
    return import_json(store, msgspec.json.encode(export))[0]
