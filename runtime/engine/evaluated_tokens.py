"""The tokens that were last evaluated for each conversation, where the engine's library does not say what it kept."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Sequence

MOST_TOKENS = 1_000_000
"""Four megabytes."""


class EvaluatedTokens:
    """Remembers the last request of each conversation; those used least recently are forgotten first."""

    def __init__(self, most_tokens: int = MOST_TOKENS) -> None:
        self._most_tokens = most_tokens
        self._known: OrderedDict[str, array[int]] = OrderedDict()

    def note(self, conversation: str, tokens: Sequence[int]) -> None:
        """Remember `tokens` in place of what was known of `conversation`; one without a key is nobody's."""
        if not conversation:
            return
        self._known[conversation] = array("i", tokens)
        self._known.move_to_end(conversation)
        while len(self._known) > 1 and sum(map(len, self._known.values())) > self._most_tokens:
            self._known.popitem(last=False)

    def of(self, conversation: str) -> tuple[tuple[int, ...], ...]:
        """Return what is known of `conversation`: one sequence, or none."""
        known = self._known.get(conversation)
        return (tuple(known),) if known is not None else ()

    def forget(self, conversation: str | None) -> None:
        """Forget a conversation; None means all of them."""
        if conversation is None:
            self._known.clear()
        else:
            self._known.pop(conversation, None)
