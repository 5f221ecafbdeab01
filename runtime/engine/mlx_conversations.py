"""The KV caches of several conversations, kept warm within a budget for their next turns.

What counts is the tokens that were really evaluated: a prompt takes the conversation with which it shares the longest
prefix that can still be used. What goes on from the middle of a conversation (an edit, another reply, a branch) gets
a copy of the part both share, so that the way back is warm as well. What is used least recently goes first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

from runtime.engine.common_prefix import common_prefix
from runtime.engine.kv_budget import default_kept_bytes
from runtime.engine.mlx_cache import MOST_CHECKPOINTS, KvCache
from runtime.library.fit import MemoryNeed
from runtime.values.kv_cache import CacheOrigin

NEGLIGIBLE_TOKENS = 32
"""A conversation that would lose no more than this is cut back instead of being copied."""
CHECKPOINT_DISTANCE_TOKENS = 256


class Conversation(NamedTuple):
    """A kept cache, the tokens in it and whose they are; what is private never leaves memory."""

    tokens: tuple[int, ...]
    cache: KvCache
    is_private: bool = False
    name: str = ""

    def usable_for(self, prompt: Sequence[int]) -> int:
        """Return how many tokens of `prompt` need not be evaluated again; never its last one.

        Evaluating that gives the first token of the reply.
        """
        return self.cache.usable(min(common_prefix(self.tokens, prompt), len(prompt) - 1))


class Taken(NamedTuple):
    """A cache for a prompt, how many tokens of the prompt it holds already, and where they were."""

    cache: KvCache
    cached_tokens: int
    origin: CacheOrigin


class KeptElsewhere(Protocol):
    """Where conversations are that are not in memory."""

    def restore(self, prompt: Sequence[int], cached_tokens: int) -> Conversation | None:
        """Return the one that saves `prompt` most, if that is much more than `cached_tokens`."""
        ...

    def tokens_of(self, name: str) -> tuple[tuple[int, ...], ...]:
        """Return the tokens of what there is of the chat with the key `name`."""
        ...


class WarmConversations:
    """Keeps the caches of conversations that have ended for now.

    A request takes one out and puts it back, so two requests never share one.

    Args:
        new: makes an empty cache.
        budget_bytes: what kept caches may take; the last one is kept even if it takes more by itself.
        prompt_bytes: what a cache with so many tokens takes; so much is made free before a prompt is read.
        end_token_ids: tokens that end a message: where a cache that cannot be cut back keeps checkpoints.
        elsewhere: where to look for what is not in memory.
    """

    def __init__(
        self,
        new: Callable[[], KvCache],
        budget_bytes: int,
        prompt_bytes: Callable[[int], int],
        end_token_ids: Collection[int],
        elsewhere: KeptElsewhere | None = None,
    ) -> None:
        self._new = new
        self._budget_bytes = budget_bytes
        self._prompt_bytes = prompt_bytes
        self._end_token_ids = end_token_ids
        self._elsewhere = elsewhere
        self._kept: list[Conversation] = []  # the least recently used first

    @property
    def nbytes(self) -> int:
        """What the kept caches take in memory."""
        return sum(conversation.cache.nbytes for conversation in self._kept)

    @property
    def kept(self) -> tuple[Conversation, ...]:
        """The conversations, the one used last at the end."""
        return tuple(self._kept)

    def tokens_of(self, name: str) -> Callable[[], tuple[tuple[int, ...], ...]]:
        """Return what says, later, which tokens are kept now of the chat with the key `name`; "" is nobody's."""
        here = tuple(kept.tokens for kept in self._kept if kept.name == name) if name else ()
        # What is elsewhere is not written while a request runs, and looking there takes time.
        return lambda: (*here, *(self._elsewhere.tokens_of(name) if name and self._elsewhere is not None else ()))

    def take(self, prompt: Sequence[int], *, reuse: bool) -> Taken:
        """Return a cache for `prompt`, with what it already holds of it.

        Without `reuse` it is an empty one, and what was kept is forgotten: benchmarks want nothing beside them.
        """
        prompt = tuple(prompt)
        if not reuse:
            self.clear()
        cache, cached_tokens = self._from_memory(prompt)
        origin = CacheOrigin.MEMORY if cached_tokens else CacheOrigin.NONE
        self._shrink_to(self._budget_bytes - self._prompt_bytes(len(prompt)), least=0)
        restored = self._elsewhere.restore(prompt, cached_tokens) if reuse and self._elsewhere is not None else None
        if restored is not None and (saved := restored.usable_for(prompt)) > cached_tokens:
            cache, cached_tokens, origin = restored.cache, saved, CacheOrigin.DISK
            cache.cut_to(saved)
        cache.plan_checkpoints(checkpoint_places(prompt, self._end_token_ids))
        cache.reached(cached_tokens)
        return Taken(cache, cached_tokens, origin)

    def keep(self, cache: KvCache, evaluated: Sequence[int], *, is_private: bool = False, name: str = "") -> None:
        """Keep `cache`, into which `evaluated` went: prompt and generated tokens, of which it may hold fewer.

        `name` is the key of the chat that it is of.
        """
        cache.settle()
        if not 0 < cache.tokens <= len(evaluated):
            return
        fresh = Conversation(tuple(evaluated[: cache.tokens]), cache, is_private, name)
        self._kept = [kept for kept in self._kept if not _covers(fresh, kept)]
        self._kept.append(fresh)
        self._shrink_to(self._budget_bytes, least=1)
        while self.nbytes > self._budget_bytes and cache.drop_checkpoint():
            pass

    def clear(self) -> None:
        """Forget all conversations."""
        self._kept = []

    def forget(self, name: str) -> None:
        """Forget what is kept of the chat with the key `name`."""
        self._kept = [kept for kept in self._kept if kept.name != name]

    def _from_memory(self, prompt: Sequence[int]) -> tuple[KvCache, int]:
        best = max(reversed(self._kept), key=lambda kept: kept.usable_for(prompt), default=None)
        cached_tokens = best.usable_for(prompt) if best is not None else 0
        return (
            (self._new(), 0)
            if best is None or cached_tokens == 0
            else (self._taken(best, cached_tokens), cached_tokens)
        )

    def _taken(self, conversation: Conversation, cached_tokens: int) -> KvCache:
        cache = conversation.cache
        if len(conversation.tokens) - cached_tokens <= NEGLIGIBLE_TOKENS or not cache.can_fork:
            self._remove(conversation)
            cache.cut_to(cached_tokens)
            return cache
        if 2 * cached_tokens >= len(conversation.tokens):
            # Most of it lives on in the copy: what is left of it is worth less than any other conversation.
            self._remove(conversation)
            self._kept.insert(0, conversation)
        return cache.fork(cached_tokens)

    def _remove(self, conversation: Conversation) -> None:
        self._kept = [kept for kept in self._kept if kept.cache is not conversation.cache]

    def _shrink_to(self, budget_bytes: int, *, least: int) -> None:
        while len(self._kept) > least and self.nbytes > budget_bytes:
            del self._kept[0]


def default_kv_budget_bytes(need: MemoryNeed, usable_bytes: int) -> int:
    """Return what kept conversations may take, where the user has not said.

    That is what a full context needs anyway, and a quarter of what the model leaves free, at most 8 GiB.
    """
    kept_bytes = default_kept_bytes(usable_bytes - need.total_bytes)
    return need.kv_cache_bytes + need.recurrent_state_bytes + kept_bytes


def checkpoint_places(prompt: Sequence[int], end_token_ids: Collection[int]) -> tuple[int, ...]:
    """Return after how many tokens of `prompt` a cache that cannot be cut back is worth keeping.

    The ends of messages, where an edit begins and another reply; not every one of many short ones, and the last ones
    of very many. And where the reply begins, in case no token ends messages.
    """
    end = len(prompt) - 1
    ends = [place for place in range(1, end + 1) if prompt[place - 1] in end_token_ids]
    places: list[int] = []
    for place in reversed(ends):
        if not places or places[-1] - place >= CHECKPOINT_DISTANCE_TOKENS:
            places.append(place)
    return tuple(sorted({end, *places[: MOST_CHECKPOINTS - 1]} - {0}))


def _covers(fresh: Conversation, kept: Conversation) -> bool:
    """Return whether `fresh` serves every prompt that `kept` does."""
    shared = common_prefix(fresh.tokens, kept.tokens)
    return shared == len(kept.tokens) and fresh.cache.usable(shared) == shared
