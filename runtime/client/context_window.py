"""What of a conversation the model is sent, and what will be sent next, by the loaded model's own count of tokens.

`truncation` decides; here messages become numbers of tokens and turns become messages again. A message is counted once
and remembered, so that a turn costs one more count. Its count is its text's, and what the chat template writes around a
message, tried with a short exchange; one token more a message covers tokenizers that join what stands side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from runtime.client.token_bounds import most_tokens
from runtime.client.truncation import Turn, first_sent_turn, reply_reserve_tokens
from runtime.values.prompt import ChatPrompt, Message, Prompt, Role, TextPrompt

SHORT = "1"
SHORT_QUESTION = Message(Role.USER, SHORT)
SHORT_REPLY = Message(Role.ASSISTANT, SHORT)


class SentPrompt(msgspec.Struct, frozen=True, kw_only=True):
    """What the model is sent of a conversation, and how many of its messages, the oldest, are left out."""

    prompt: ChatPrompt
    left_out: int = 0


class ContextOutlook(msgspec.Struct, frozen=True, kw_only=True):
    """How full the context is, and what comes next.

    Attributes:
        used_tokens: what of the conversation is still sent, the system prompt included; None while the context is not
            nearly full.
        limit_tokens: length of the context.
        is_nearly_full: whether the next question leaves less than the reserve for a reply.
        is_for_draft: whether it does only because of what is written of it: a shorter one would fit.
        left_out: how many messages, the oldest, are left out of what has been sent.
        left_out_next: how many are left out of the next prompt.
    """

    used_tokens: int | None = None
    limit_tokens: int
    is_nearly_full: bool = False
    is_for_draft: bool = False
    left_out: int = 0
    left_out_next: int = 0


class _Counted(msgspec.Struct, frozen=True, kw_only=True):
    opening: tuple[Message, ...]
    groups: tuple[tuple[Message, ...], ...]
    turns: tuple[Turn, ...]
    fixed_tokens: int


class ContextWindow:
    """Counts with `count_tokens`, which belongs to one loaded model at a time: see `forget`."""

    def __init__(self, count_tokens: Callable[[Prompt], Awaitable[int]]) -> None:
        self._count_tokens = count_tokens
        self._text_tokens: dict[str, int] = {}
        self._fixed_tokens: dict[tuple[Message, ...], int] = {}
        self._around_tokens: int | None = None

    def forget(self) -> None:
        """Forget all counts: another model is loaded."""
        self._text_tokens, self._fixed_tokens, self._around_tokens = {}, {}, None

    async def sent(self, prompt: ChatPrompt, limit_tokens: int) -> SentPrompt:
        """Return `prompt` without the oldest turns that do not fit a context of `limit_tokens`.

        Raises:
            UserFacingError: there is no model to count, or its template fails.
        """
        room_tokens = room_for_prompt(limit_tokens)
        if most_tokens(prompt) <= room_tokens:
            return SentPrompt(prompt=prompt)
        counted = await self._counted(prompt)
        first = first_sent_turn(counted.turns, counted.fixed_tokens, room_tokens)
        kept = tuple(message for group in counted.groups[first:] for message in group)
        return SentPrompt(prompt=ChatPrompt((*counted.opening, *kept)), left_out=sum(map(len, counted.groups[:first])))

    async def outlook(
        self, prompt: ChatPrompt, limit_tokens: int, draft: str = "", *, drops: bool, goes_on: bool = False
    ) -> ContextOutlook:
        """Return how full the context is after `prompt`, and what the next question brings.

        Args:
            prompt: the conversation so far; where it ends in a question, the reply to it counts as a message.
            limit_tokens: length of the context.
            draft: what is written of the next question.
            drops: whether the oldest turns are dropped; otherwise nothing is left out.
            goes_on: whether the model was sent the last reply, to go on with it, rather than only its question.

        Raises:
            UserFacingError: there is no model to count, or its template fails.
        """
        room_tokens = room_for_prompt(limit_tokens)
        awaited = (Message(Role.ASSISTANT, ""),) if prompt.messages[-1:] and _asks(prompt.messages[-1]) else ()
        following = ChatPrompt((*prompt.messages, *awaited, Message(Role.USER, draft or SHORT)))
        if most_tokens(following) <= room_tokens:
            return ContextOutlook(limit_tokens=limit_tokens)
        counted = await self._counted(following)
        before, fixed = counted.turns[:-1], counted.fixed_tokens
        now = then = 0
        if drops:
            # The last reply was asked for when there was nothing of it yet, unless it was gone on with.
            asked = before if goes_on or not before else (*before[:-1], Turn(before[-1].question_tokens))
            now = first_sent_turn(asked, fixed, room_tokens)
            then = first_sent_turn(counted.turns, fixed, room_tokens)
        left_out = sum(map(len, counted.groups[:now]))
        still_sent_tokens = fixed + sum(turn.tokens for turn in before[now:])
        is_nearly_full = still_sent_tokens + counted.turns[-1].tokens > room_tokens
        still_sent = ChatPrompt((*counted.opening, *prompt.messages[len(counted.opening) + left_out :]))
        return ContextOutlook(
            used_tokens=await self._count_tokens(still_sent) if is_nearly_full and still_sent.messages else None,
            limit_tokens=limit_tokens,
            is_nearly_full=is_nearly_full,
            is_for_draft=is_nearly_full and bool(draft) and still_sent_tokens < room_tokens,
            left_out=left_out,
            left_out_next=sum(map(len, counted.groups[:then])),
        )

    async def _counted(self, prompt: ChatPrompt) -> _Counted:
        opening, groups = _parted(prompt.messages)
        fixed_tokens = await self._fixed(opening)
        around_tokens = await self._around()
        texts = {message.text for group in groups for message in group}
        unknown = [text for text in texts if text not in self._text_tokens]
        counts = await asyncio.gather(*(self._count_text(text) for text in unknown))
        known = {**self._text_tokens, **dict(zip(unknown, counts, strict=True))}
        # Only this conversation's: what was counted of others is counted again when it is needed.
        self._text_tokens = {text: known[text] for text in texts}

        def tokens(group: Sequence[Message], *roles: Role) -> int:
            return sum(known[message.text] + around_tokens for message in group if message.role in roles)

        turns = tuple(Turn(tokens(group, Role.USER, Role.SYSTEM), tokens(group, Role.ASSISTANT)) for group in groups)
        return _Counted(opening=opening, groups=groups, turns=turns, fixed_tokens=fixed_tokens)

    async def _count_text(self, text: str) -> int:
        return await self._count_tokens(TextPrompt(text)) if text else 0

    async def _fixed(self, opening: tuple[Message, ...]) -> int:
        """Return what is sent with any turn: the system prompt, or the template's own, and the reply's head."""
        if opening not in self._fixed_tokens:
            self._fixed_tokens = {opening: await self._count_tokens(ChatPrompt((*opening, SHORT_QUESTION)))}
        return self._fixed_tokens[opening]

    async def _around(self) -> int:
        """Return how many tokens the chat template writes around a message, and one to be sure."""
        if self._around_tokens is None:
            one, three, text = await asyncio.gather(
                self._count_tokens(ChatPrompt((SHORT_QUESTION,))),
                self._count_tokens(ChatPrompt((SHORT_QUESTION, SHORT_REPLY, SHORT_QUESTION))),
                self._count_tokens(TextPrompt(SHORT)),
            )
            around_two = max(0, three - one - 2 * text)
            self._around_tokens = -(-around_two // 2) + 1
        return self._around_tokens


def room_for_prompt(limit_tokens: int) -> int:
    """Return how many tokens of a context a prompt may take for a reply to have room beside it."""
    return limit_tokens - reply_reserve_tokens(limit_tokens)


def _asks(message: Message) -> bool:
    return message.role is Role.USER


def _parted(messages: Sequence[Message]) -> tuple[tuple[Message, ...], tuple[tuple[Message, ...], ...]]:
    """Return the system prompt, and the turns: each question with everything up to the next one."""
    begins = next((index for index, message in enumerate(messages) if message.role is not Role.SYSTEM), len(messages))
    groups: list[list[Message]] = []
    for index, message in enumerate(messages[begins:]):
        asks_anew = _asks(message) and (index == 0 or messages[begins + index - 1].role is Role.ASSISTANT)
        if asks_anew or not groups:
            groups.append([])
        groups[-1].append(message)
    return tuple(messages[:begins]), tuple(map(tuple, groups))
