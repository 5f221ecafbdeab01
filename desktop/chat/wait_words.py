"""Why a reply was slow to begin, in words: where the time went, what was read again, and what broke the prefix."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from PySide6.QtCore import QCoreApplication

from desktop.widgets.waterfall import WaterfallRow
from runtime.values.chat import ChatMessage, MessageId
from runtime.values.generation import GenerationStats, TtftParts
from runtime.values.kv_cache import CacheOrigin, PrefixBreak
from runtime.values.prompt import Role
from runtime.values.wording import milliseconds_text, speed_text

CONTEXT = "Message"
SHOWN_FROM_MS = 0.05
QUOTED_CHARACTERS = 40
THINKING = ("<think", "<|channel|>", "<reasoning")
VISIBLE = str.maketrans({"\n": "↵", "\r": "↵", "\t": "⇥"})


def tr(text: str) -> str:
    """Return `text` in the user's language."""
    return QCoreApplication.translate(CONTEXT, text)


class WaitExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to "why was this slow?".

    Attributes:
        headline: how long the first token took.
        cause: what took most of it.
        parts: all of it, one after the other.
        prompt: how much of the prompt was read, and how much was kept.
        missed: where the prompt left what was kept, or why nothing was; empty where nothing was missed.
        advice: what that means, and what can be done about it.
    """

    headline: str
    cause: str
    parts: tuple[WaterfallRow, ...]
    prompt: str
    missed: str
    advice: str


def wait_explanation(path: Sequence[ChatMessage], message_id: MessageId) -> WaitExplanation | None:
    """Return why the reply `message_id` of the chat `path` took as long as it did; None where that was not measured."""
    place = next((place for place, message in enumerate(path) if message.id == message_id), None)
    stats = path[place].stats if place is not None else None
    if place is None or stats is None or stats.ttft_parts is None:
        return None
    missed, advice = _what_was_missed(stats, path[:place])
    return WaitExplanation(
        headline=tr("The first token came after {time}.").format(time=milliseconds_text(stats.ttft_ms)),
        cause=cause(stats, stats.ttft_parts),
        parts=_rows(stats, stats.ttft_parts),
        prompt=prompt_text(stats),
        missed=missed,
        advice=advice,
    )


def cause(stats: GenerationStats, parts: TtftParts) -> str:
    """Return what took most of the wait for the first token."""
    took_ms = {
        tr("waiting for other work"): parts.queue_ms,
        tr("loading the model"): parts.load_ms,
        tr("the chat template"): parts.tokenize_ms,
        _restoring(stats): parts.cache_restore_ms,
        _reading(stats): parts.prefill_ms,
        tr("the first token itself"): parts.first_decode_ms,
    }
    longest = max(took_ms, key=lambda what: took_ms[what])
    return tr("Most of the wait: {what}, {time}").format(what=longest, time=milliseconds_text(took_ms[longest]))


def prompt_text(stats: GenerationStats) -> str:
    """Return how much of the prompt was evaluated and how much was cached, and where."""
    return tr("Prompt: {total} tokens, {cached} of them cached{where}").format(
        total=f"{stats.prompt_tokens:,}", cached=f"{stats.cached_tokens:,}", where=_where(stats.cache_origin)
    )


def _where(origin: CacheOrigin) -> str:
    match origin:
        case CacheOrigin.DISK:
            return tr(" (on disk)")
        case CacheOrigin.MEMORY:
            return tr(" (in memory)")
        case CacheOrigin.NONE:
            return ""


def _restoring(stats: GenerationStats) -> str:
    if stats.cache_origin is CacheOrigin.DISK:
        return tr("fetching {count} tokens from disk").format(count=f"{stats.cached_tokens:,}")
    return tr("fetching what is cached")


def _reading(stats: GenerationStats) -> str:
    evaluated = f"{stats.prompt_tokens - stats.cached_tokens:,}"
    if stats.prefill_tokens_per_second is None:
        return tr("reading {count} tokens that were not cached").format(count=evaluated)
    return tr("reading {count} tokens that were not cached, at {speed}").format(
        count=evaluated, speed=speed_text(stats.prefill_tokens_per_second)
    )


def _rows(stats: GenerationStats, parts: TtftParts) -> tuple[WaterfallRow, ...]:
    from_disk = stats.cache_origin is CacheOrigin.DISK
    durations_ms = (
        (tr("Waiting"), parts.queue_ms),
        (tr("Loading the model"), parts.load_ms),
        (tr("Chat template"), parts.tokenize_ms),
        (tr("Fetching from disk") if from_disk else tr("Fetching the cache"), parts.cache_restore_ms),
        (tr("Reading the prompt"), parts.prefill_ms),
        (tr("First token"), parts.first_decode_ms),
    )
    shown = [(label, ms) for label, ms in durations_ms if ms >= SHOWN_FROM_MS]
    return tuple(WaterfallRow(label, ms, milliseconds_text(ms)) for label, ms in shown)


def _what_was_missed(stats: GenerationStats, before: Sequence[ChatMessage]) -> tuple[str, str]:
    """Return what the cache missed, and what to do about it; both empty where nothing was read twice."""
    if stats.prefix_break is not None:
        return _broken(stats.prefix_break, [message for message in before if message.text])
    if stats.cached_tokens:
        return "", ""
    if len(before) <= 1:
        return "", tr("This was the first message of the chat: all of it was new.")
    return (
        tr("Nothing of this chat was kept."),
        tr(
            "The model was loaded anew, or other chats needed the room. How much room they have, in memory and on disk,"
            " is set in the settings under Caches."
        ),
    )


def _broken(found: PrefixBreak, before: Sequence[ChatMessage]) -> tuple[str, str]:
    place = len(before) - 1 - found.messages_after
    message = before[place] if found.message_index is not None and 0 <= place < len(before) else None
    # Of a chat that is sent whole, no fewer messages of the prompt than of the chat precede this one; and what is left
    # out is what follows the system prompt, if there is one.
    were_left_out = found.message_index is not None and found.message_index < min(place, 2)
    tokens = tr("Token {number} is “{new}”; kept was “{old}”.").format(
        number=f"{found.token_index + 1:,}", new=visible(found.prompt_text), old=visible(found.kept_text)
    )
    if message is not None and found.role is not Role.SYSTEM:
        where = tr("From “{beginning}” on, everything was read again.").format(beginning=visible(message.text.strip()))
    else:
        where = tr("Everything was read again from there on.")
    return f"{tokens} {where}", _advice_on_left_out() if were_left_out else _advice(found, message)


def _advice_on_left_out() -> str:
    return tr(
        "The context was full, so the oldest messages were left out, and what is sent begins with another one. That is"
        " read once; the next messages go on from it until the context is full again."
    )


def _advice(found: PrefixBreak, message: ChatMessage | None) -> str:
    match found.role:
        case Role.SYSTEM:
            return tr(
                "The system prompt is not the one that was read before. What follows it has to be read again each time"
                " it changes: better change it in a new chat than in a long one."
            )
        case Role.USER if found.messages_after == 0:
            return tr("The message was edited, so it is read anew; what precedes it was not read again.")
        case Role.USER if _is_space(found):
            return tr("The model's chat template cuts white space off earlier messages, so they are other tokens.")
        case Role.USER:
            return tr("An earlier message was edited, or another version of it was chosen: what follows is read anew.")
        case Role.ASSISTANT:
            return _advice_on_reply(found, message)
        case None:
            return tr(
                "The model's chat template writes something in front of the conversation that was another one this"
                " time, such as the date or a list of tools. Another version of the model may come with a steadier one."
            )


def _advice_on_reply(found: PrefixBreak, message: ChatMessage | None) -> str:
    reasoned = message is not None and bool(message.reasoning)
    if reasoned or any(tag in found.kept_text for tag in THINKING):
        return tr(
            "What a model reasons is left out of later prompts, as such models expect it, so its last reply is read"
            " again without it. Only that reply and your new message are read."
        )
    if message is not None and len(message.sibling_ids) > 1:
        return tr("Another version of this reply was read before: the one that is shown now is read anew.")
    return tr(
        "The reply, written down, is not made of the tokens that the model wrote: white space is cut off, or the same"
        " words are split otherwise. It is read once more, from there on."
    )


def _is_space(found: PrefixBreak) -> bool:
    return bool(found.kept_text) and not found.kept_text.strip()


def visible(text: str) -> str:
    """Return the beginning of a text of any origin on one line, with what cannot be seen made visible."""
    line = text[: QUOTED_CHARACTERS + 1].translate(VISIBLE)
    shown = "".join(character if character.isprintable() else "�" for character in line)
    return shown if len(shown) <= QUOTED_CHARACTERS else f"{shown[:QUOTED_CHARACTERS]}…"
