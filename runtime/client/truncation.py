"""Which turns of a conversation are sent when all of them do not fit the context: the newest, dropped in blocks.

A turn is an exchange: a question and the reply to it. Whole turns are dropped, the oldest first; the system prompt and
the newest turn always stay. Nothing here knows of engines, tokenizers or disks: it decides from numbers of tokens.

**In blocks.** The KV cache serves a prompt as far as it begins like an earlier one. Dropping no more than has to go
would give every prompt from then on another beginning, and each would be read anew from its first turn. So a drop
frees at least `FREED_SHARE` of the room for turns: that one prompt misses the cache, and the many that follow only
grow at their end and are served from it until the room is full again.

**Without memory.** What was dropped is kept nowhere: it follows from the conversation, replayed from its first turn. So
it is the same after a restart, on another branch and in another program; a turn that is added changes nothing of what
was dropped before it; and a longer context brings back whatever fits it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

FREED_SHARE = 0.5
RESERVE_SHARE = 1 / 8
MOST_RESERVED_TOKENS = 1024


class Turn(msgspec.Struct, frozen=True):
    """Tokens of an exchange: of its question, and of the reply as far as there is one."""

    question_tokens: int
    reply_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Tokens of both."""
        return self.question_tokens + self.reply_tokens


def reply_reserve_tokens(limit_tokens: int) -> int:
    """Return how much of a context a prompt is to leave for the reply: an eighth, at most 1,024 tokens."""
    return min(MOST_RESERVED_TOKENS, int(limit_tokens * RESERVE_SHARE))


def first_sent_turn(turns: Sequence[Turn], fixed_tokens: int, room_tokens: int) -> int:
    """Return the index of the first turn that is sent; the last one always is, even where it does not fit.

    Args:
        turns: oldest first; the model is asked for the reply to the last, or to go on with it.
        fixed_tokens: what is sent with any turn: the system prompt, and what the chat template writes once.
        room_tokens: what a prompt may take.
    """
    first = kept_tokens = 0
    for newest, turn in enumerate(turns):
        is_asked_now = newest == len(turns) - 1
        asked_tokens = turn.tokens if is_asked_now else turn.question_tokens
        room_for_kept = room_tokens - fixed_tokens - asked_tokens
        if kept_tokens > room_for_kept:
            least_freed = (room_tokens - fixed_tokens) * FREED_SHARE
            freed = 0
            while first < newest and (freed < least_freed or kept_tokens - freed > room_for_kept):
                freed += turns[first].tokens
                first += 1
            kept_tokens -= freed
        kept_tokens += turn.tokens
    return first
