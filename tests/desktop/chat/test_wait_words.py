"""What is said of a wait: what took most of it, what was cached, and what broke the prefix at which message."""

from __future__ import annotations

import msgspec
import pytest

from desktop.chat.message_words import actions, figures, figures_details
from desktop.chat.transcript.message_view import MessageAction
from desktop.chat.wait_words import WaitExplanation, cause, visible, wait_explanation
from runtime.values.chat import ChatId, ChatMessage, MessageId, MessageState
from runtime.values.generation import GenerationStats, TtftParts
from runtime.values.kv_cache import CacheOrigin, PrefixBreak
from runtime.values.prompt import Role
from tests.runtime.store.chat_examples import INT4, STATS

QUICK = TtftParts(queue_ms=1, load_ms=0, tokenize_ms=1, cache_restore_ms=1, prefill_ms=1, first_decode_ms=1)


def message(number: int, text: str, stats: GenerationStats | None = None, **changes: object) -> ChatMessage:
    plain = ChatMessage(
        id=MessageId(number),
        chat_id=ChatId(1),
        parent_id=MessageId(number - 1) if number > 1 else None,
        sibling_ids=(MessageId(number),),
        role=Role.USER if number % 2 else Role.ASSISTANT,
        text=text,
        reasoning="",
        reasoning_ms=None,
        state=MessageState.COMPLETE,
        stop_reason=None,
        error=None,
        model="Qwen3",
        quantization=INT4,
        stats=stats,
        created_unix_ms=0,
    )
    return msgspec.structs.replace(plain, **changes)


def explained(stats: GenerationStats, *, length: int = 4, **reply: object) -> WaitExplanation:
    """Return what is said of the last message of a chat with so many of them."""
    path = [message(number, f"message {number}") for number in range(1, length)]
    if reply:
        path[1] = msgspec.structs.replace(path[1], **reply)
    last = message(length, "the reply", stats)
    explanation = wait_explanation([*path, last], last.id)
    assert explanation is not None
    return explanation


def broken(role: Role | None, after: int, kept: str = "old", **changes: object) -> GenerationStats:
    found = PrefixBreak(
        token_index=41,
        kept_text=kept,
        prompt_text="new",
        message_index=None if role is None else 7,
        messages_after=after,
        role=role,
    )
    return msgspec.structs.replace(STATS, prefix_break=found, **changes)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("queue_ms", "waiting for other work, 2.50 s"),
        ("load_ms", "loading the model, 2.50 s"),
        ("tokenize_ms", "the chat template, 2.50 s"),
        ("cache_restore_ms", "fetching what is cached, 2.50 s"),
        ("prefill_ms", "reading 3,900 tokens that were not cached, at 548 tok/s, 2.50 s"),
        ("first_decode_ms", "the first token itself, 2.50 s"),
    ],
)
def test_says_what_took_most_of_the_wait(part: str, said: str) -> None:
    parts = msgspec.structs.replace(QUICK, **{part: 2500})
    stats = msgspec.structs.replace(STATS, prompt_tokens=4000, cached_tokens=100, ttft_parts=parts)
    assert cause(stats, parts) == f"Most of the wait: {said}"
    last = message(2, "reply", stats)
    assert f"Most of the wait: {said}" in figures_details(last)
    explanation = wait_explanation([last], last.id)
    assert explanation is not None
    assert max(explanation.parts, key=lambda row: row.duration_ms).text == "2.50 s"


def test_a_cache_from_disk_is_called_that() -> None:
    parts = msgspec.structs.replace(QUICK, cache_restore_ms=500)
    stats = msgspec.structs.replace(STATS, cache_origin=CacheOrigin.DISK, ttft_parts=parts)
    said = explained(stats)
    assert said.cause == "Most of the wait: fetching 100 tokens from disk, 500 ms"
    assert said.prompt == "Prompt: 120 tokens, 100 of them cached (on disk)"
    assert "Fetching from disk" in [row.label for row in said.parts]
    assert (said.missed, said.advice) == ("", "")


def test_a_wait_that_had_no_end_is_not_explained() -> None:
    stats = msgspec.structs.replace(STATS, ttft_parts=None)
    last = message(2, "", stats)
    assert wait_explanation([last], last.id) is None
    assert wait_explanation([last], MessageId(9)) is None
    assert wait_explanation([message(2, "")], MessageId(2)) is None
    assert "Most of the wait" not in figures_details(last)
    assert MessageAction.EXPLAIN_WAIT not in actions(last)
    assert MessageAction.EXPLAIN_WAIT in actions(message(2, "", STATS))
    assert MessageAction.EXPLAIN_WAIT not in actions(message(1, ""))


def test_what_was_read_and_cached_stands_below_the_reply() -> None:
    assert figures(message(2, "", STATS)).endswith(" · 3 tokens · 20 read, 100 cached")
    nothing = msgspec.structs.replace(STATS, cached_tokens=0)
    assert figures(message(2, "", nothing)).endswith(" · 3 tokens · 120 read")


@pytest.mark.parametrize(
    ("stats", "where", "advice"),
    [
        pytest.param(broken(Role.SYSTEM, 3), "from there on", "The system prompt is not the one", id="system"),
        pytest.param(broken(Role.USER, 0), "From “message 3” on", "The message was edited", id="edit"),
        pytest.param(broken(Role.USER, 2), "From “message 1” on", "An earlier message was edited", id="earlier"),
        pytest.param(broken(Role.USER, 2, kept=" \n"), "From “message 1” on", "cuts white space off", id="space"),
        pytest.param(broken(Role.ASSISTANT, 1, kept="<think>"), "From “message 2” on", "reasons is left out", id="tag"),
        pytest.param(broken(Role.ASSISTANT, 1), "From “message 2” on", "written down, is not made of", id="reply"),
        pytest.param(broken(None, 0), "from there on", "such as the date", id="template"),
        pytest.param(broken(Role.USER, 9), "from there on", "An earlier message", id="gone since"),
    ],
)
def test_names_the_token_and_the_message_that_broke_the_prefix(stats: GenerationStats, where: str, advice: str) -> None:
    said = explained(stats)
    assert said.missed.startswith("Token 42 is “new”; kept was “")
    assert where in said.missed
    assert advice in said.advice


def test_a_reply_with_reasoning_or_versions_is_told_from_others() -> None:
    stats = broken(Role.ASSISTANT, 1)
    assert "reasons is left out" in explained(stats, reasoning="Hm.").advice
    assert "Another version" in explained(stats, sibling_ids=(MessageId(2), MessageId(8))).advice


def test_an_edit_further_down_is_told_from_messages_that_were_left_out() -> None:
    found = PrefixBreak(
        token_index=9, kept_text="a", prompt_text="b", message_index=4, messages_after=0, role=Role.USER
    )
    stats = msgspec.structs.replace(STATS, prefix_break=found)
    assert "was edited" in explained(stats, length=20).advice


def test_says_why_nothing_was_kept() -> None:
    nothing = msgspec.structs.replace(STATS, cached_tokens=0)
    assert "first message of the chat" in explained(nothing, length=2).advice
    assert explained(nothing).missed == "Nothing of this chat was kept."


def test_text_of_tokens_is_shown_on_one_line_whatever_it_is() -> None:
    assert visible("a\n\tb\x1b[31m\u202e") == "a↵⇥b�[31m�"
    assert visible("x" * 5000) == "x" * 40 + "…"


def test_says_that_the_oldest_messages_were_left_out() -> None:
    def begins_with(place: int) -> GenerationStats:
        """Return the figures of a prompt whose first message is that of the chat's seven."""
        found = PrefixBreak(
            token_index=4,
            kept_text="a",
            prompt_text="b",
            message_index=0,
            messages_after=6 - place,
            role=Role.USER,
        )
        return msgspec.structs.replace(STATS, prefix_break=found)

    assert "the oldest messages were left out" in explained(begins_with(4), length=8).advice
    assert "left out" not in explained(begins_with(0), length=8).advice
