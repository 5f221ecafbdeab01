"""What a llama-server holds of conversations: in its slots, and of those that others have displaced.

The server does not tell, so this keeps account of what it was sent, and does as it does when a prompt comes: the slot
that shares most with the prompt takes it, or else the one that was used least recently. What a slot would lose by that,
if it is most of it, goes to the server's prompt cache, and the best there for the prompt comes back in its place. What
is said here may be more than is there, when the server has thrown something out earlier than expected; that costs time,
never a wrong word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from runtime.engine.common_prefix import common_prefix

LEAST_SIMILARITY = 0.1
KEPT_SHARE = 0.5
"""A slot that would keep less of its tokens than this is put into the prompt cache first."""
LEAST_RECALLED_SHARE = 0.25
"""Of what is recalled from there, at least so much must be of use."""


class HeldTokens(msgspec.Struct, frozen=True, kw_only=True):
    """What the server holds of one conversation.

    Attributes:
        tokens: its tokens, as far as they are known: of a reply, some may not be.
        count: how many there are at least.
        conversation: the key of the chat; "" where that is not known.
        is_private: whether it must not leave memory.
    """

    tokens: tuple[int, ...] = ()
    count: int = 0
    conversation: str = ""
    is_private: bool = False


NOTHING = HeldTokens()


class Placement(NamedTuple):
    """The slot for a prompt, and how many of its tokens the slot will hold by then."""

    slot: int
    shared_tokens: int


class Slots:
    """The account of one server.

    Args:
        count: number of slots.
        cache_bytes: what the prompt cache may take; 0 where there is none.
        held_bytes: what so many tokens take there.
    """

    def __init__(self, count: int, cache_bytes: int, held_bytes: Callable[[int], int]) -> None:
        self._slots = [NOTHING] * count
        self._used = list(range(count))  # the least recently used first
        self._running: dict[int, HeldTokens] = {}  # and what was there before
        self._displaced: list[HeldTokens] = []  # the one that goes first at the front
        self._cache_bytes = cache_bytes
        self._held_bytes = held_bytes

    @property
    def slots(self) -> tuple[HeldTokens, ...]:
        """What the slots hold, by their number."""
        return tuple(self._slots)

    @property
    def idle(self) -> tuple[int, ...]:
        """The slots in which no request runs, the one used last at the end."""
        return tuple(slot for slot in self._used if slot not in self._running)

    @property
    def displaced(self) -> tuple[HeldTokens, ...]:
        """What the prompt cache holds, the one displaced last at the end."""
        return tuple(self._displaced)

    def place(self, prompt: Sequence[int]) -> Placement:
        """Return which idle slot the prompt is for, and what it will find there. Nothing changes yet."""
        slot, held, _ = self._outcome(prompt)
        return Placement(slot, common_prefix(held.tokens, tuple(prompt)))

    def start(self, prompt: Sequence[int], slot: int) -> None:
        """Note that a prompt was sent for a slot."""
        _, self._running[slot], self._displaced = self._outcome(prompt, slot)
        self._slots[slot] = HeldTokens(tokens=tuple(prompt), count=len(prompt))
        self._use(slot)

    def end(self, slot: int, held: HeldTokens) -> None:
        """Note what the request that ran in a slot has left there; if nothing is known of that, what was there before.

        That may be more than is there now, and it may have been changed: whether it is private depends on both.
        """
        before = self._running.pop(slot)
        if not held.count:
            held = msgspec.structs.replace(before, is_private=before.is_private or held.is_private)
        self._slots[slot] = held
        self._use(slot)

    def put(self, slot: int, held: HeldTokens) -> None:
        """Note that an idle slot was filled from a file, or emptied, and is the least recently used no more."""
        self._slots[slot] = held
        self._use(slot)

    def displace(self, slot: int) -> None:
        """Note that an idle slot was made to give what it holds to the prompt cache."""
        self._displaced = self._with(self._slots[slot])
        self._slots[slot] = NOTHING

    def drop_displaced(self, held: HeldTokens) -> None:
        """Note that something is no longer in the prompt cache."""
        self._displaced = [other for other in self._displaced if other is not held]

    def _use(self, slot: int) -> None:
        self._used.remove(slot)
        self._used.append(slot)

    def _outcome(self, prompt: Sequence[int], slot: int | None = None) -> tuple[int, HeldTokens, list[HeldTokens]]:
        """Return the slot for a prompt, what is in it when the prompt is read, and what is displaced then."""
        wanted = tuple(prompt)
        best = self._most_similar(wanted) if slot is None else slot
        slot = self.idle[0] if best is None else best
        held = self._slots[slot]
        shared = common_prefix(held.tokens, wanted)
        if best is not None and held.count and shared >= KEPT_SHARE * held.count:
            return slot, held, self._displaced
        displaced = self._with(held)
        recalled = _recalled(displaced, held, wanted)
        if recalled is None:
            return slot, held, displaced
        return slot, recalled, [other for other in displaced if other is not recalled]

    def _most_similar(self, prompt: tuple[int, ...]) -> int | None:
        shared = [(common_prefix(self._slots[slot].tokens, prompt), slot) for slot in self.idle]
        most, slot = max(shared, default=(0, 0))
        return slot if prompt and most > LEAST_SIMILARITY * len(prompt) else None

    def _with(self, held: HeldTokens) -> list[HeldTokens]:
        """Return the prompt cache with what a slot held put into it, and what has no room any more thrown out."""
        if not (self._cache_bytes and held.count):
            return self._displaced
        if any(common_prefix(other.tokens, held.tokens) == len(held.tokens) for other in self._displaced):
            return self._displaced
        kept = [
            other for other in self._displaced if common_prefix(other.tokens, held.tokens) < max(1, len(other.tokens))
        ]
        kept.append(held)
        while len(kept) > 1 and sum(self._held_bytes(other.count) for other in kept) > self._cache_bytes:
            del kept[0]
        return kept


def _recalled(displaced: Sequence[HeldTokens], held: HeldTokens, prompt: tuple[int, ...]) -> HeldTokens | None:
    """Return what the prompt cache gives back for a prompt: what shares more with it, and loses less by that."""
    best: HeldTokens | None = None
    most = common_prefix(held.tokens, prompt)
    most_kept = most / held.count if held.count else -1.0
    for other in displaced:
        shared = common_prefix(other.tokens, prompt)
        kept = shared / other.count
        if kept >= LEAST_RECALLED_SHARE and kept > most_kept and shared > most:
            best, most, most_kept = other, shared, kept
    return best
