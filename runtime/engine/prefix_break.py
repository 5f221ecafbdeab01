"""Where a prompt left what was kept of its conversation: the first token that is another one, and whose text it is in.

Looked up once a reply has ended, so that no first token waits for it. Whether a token can be used again is decided by
the tokens that were really evaluated; which message a token belongs to, only the chat template can tell: the
conversation up to a message, with other words in that message, is the same prompt up to where its words begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import NamedTuple

import msgspec

from runtime.engine.common_prefix import common_prefix
from runtime.values.errors import FirstTokenError
from runtime.values.kv_cache import PrefixBreak
from runtime.values.prompt import ChatPrompt, Message, Prompt, Role

LIMIT_S = 0.25
"""What looking for the message may take; a template that needs longer is not asked again."""
MOST_CHARACTERS = 200
OTHER_WORDS = ("~", "#")
"""Texts that begin with another token than nearly any message; the second one is for those that begin as the first."""


class Departure(NamedTuple):
    """How many tokens of a prompt are those that were kept, and which token was kept instead of the next."""

    shared_tokens: int
    kept_token_id: int


class PromptReader(msgspec.Struct, frozen=True):
    """How the loaded model turns prompts into tokens, and tokens into text."""

    tokenize: Callable[[Prompt], Sequence[int]]
    text_of: Callable[[int], str]


def find_break(
    kept: Iterable[Sequence[int]],
    prompt: Prompt,
    token_ids: Sequence[int],
    reader: PromptReader,
    clock_s: Callable[[], float] = perf_counter,
) -> PrefixBreak | None:
    """Return where `token_ids`, which are those of `prompt`, left all of `kept`; None if they did not.

    Args:
        kept: the tokens of what was kept of the conversation when the prompt came.
        prompt: what was asked.
        token_ids: its tokens.
        reader: the model's tokenizer and chat template.
        clock_s: for the limit.
    """
    departure = departure_of(kept, token_ids)
    if departure is None:
        return None
    index = departure.shared_tokens
    deadline_s = clock_s() + LIMIT_S
    found = PrefixBreak(
        token_index=index,
        kept_text=reader.text_of(departure.kept_token_id)[:MOST_CHARACTERS],
        prompt_text=reader.text_of(token_ids[index])[:MOST_CHARACTERS],
    )
    if not isinstance(prompt, ChatPrompt):
        return found
    place = _message_at(index, prompt, token_ids, reader, lambda: clock_s() < deadline_s)
    if place is None:
        return found
    after, role = len(prompt.messages) - 1 - place, prompt.messages[place].role
    return msgspec.structs.replace(found, message_index=place, messages_after=after, role=role)


def departure_of(kept: Iterable[Sequence[int]], token_ids: Sequence[int]) -> Departure | None:
    """Return where `token_ids` left what shares most with them; None if they go on from its end, or end within it."""
    shared = [(common_prefix(tokens, token_ids), len(tokens), tokens) for tokens in kept]
    most, length, tokens = max(shared, key=lambda one: one[:2], default=(0, 0, ()))
    return Departure(most, tokens[most]) if most < min(length, len(token_ids)) else None


def _message_at(
    index: int,
    prompt: ChatPrompt,
    token_ids: Sequence[int],
    reader: PromptReader,
    has_time: Callable[[], bool],
) -> int | None:
    """Return the last message whose words begin at or before token `index`: its end belongs to it as well.

    None where the template wrote the token before the first message's words, where it cannot be asked, and where that
    takes too long.
    """
    before, after = -1, len(prompt.messages)  # The first one begins behind it; after the last there is none.
    reaches_words = False
    try:
        while after - before > 1:
            if not has_time():
                return None
            middle = (before + after) // 2
            words_at = _where_words_begin(prompt, middle, token_ids, reader)
            if words_at.token_index <= index:
                before, reaches_words = middle, words_at.is_sure
            else:
                after = middle
    except FirstTokenError:
        return None
    return before if before >= 0 and reaches_words else None


class _Beginning(NamedTuple):
    """Where the words of a message begin; not sure where the template has written something else even before."""

    token_index: int
    is_sure: bool


def _where_words_begin(prompt: ChatPrompt, place: int, token_ids: Sequence[int], reader: PromptReader) -> _Beginning:
    words = _other_words(prompt.messages[place])
    other = reader.tokenize(_with_words(prompt.messages, place, words))
    shared = common_prefix(other, token_ids)
    text = reader.text_of(other[shared]) if shared < len(other) else ""
    return _Beginning(shared, text.lstrip().startswith(words))


def _other_words(message: Message) -> str:
    return next(words for words in OTHER_WORDS if not message.text.lstrip().startswith(words))


def _with_words(messages: Sequence[Message], place: int, words: str) -> ChatPrompt:
    """Return the conversation up to message `place`, which says something else.

    A system message alone is no conversation: the message after it is left where it is.
    """
    role = messages[place].role
    following = messages[place + 1 : place + 2] if role is Role.SYSTEM else ()
    return ChatPrompt((*messages[:place], Message(role, words), *following))
