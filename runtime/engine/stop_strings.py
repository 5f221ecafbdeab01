"""Find stop strings in a stream of text, holding back only what may still become one.

The automaton of Aho and Corasick, "Efficient string matching: an aid to bibliographic search" (1975): one step a
character, whatever the number of stop strings.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class _Node:
    """A prefix of one or more stop strings.

    Attributes:
        depth: length of the prefix in characters.
        longest_match: length of the longest stop string that ends here, 0 if none does.
        children: the prefixes that are one character longer.
        fallback: the longest proper suffix of this prefix that is a prefix too; None at the root.
    """

    __slots__ = ("children", "depth", "fallback", "longest_match")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.longest_match = 0
        self.children: dict[str, _Node] = {}
        self.fallback: _Node | None = None


def _automaton(stop_strings: Sequence[str]) -> _Node:
    root = _Node(0)
    for stop_string in stop_strings:
        node = root
        for character in stop_string:
            node = node.children.setdefault(character, _Node(node.depth + 1))
        node.longest_match = node.depth
    waiting = deque([root])
    while waiting:
        node = waiting.popleft()
        for character, child in node.children.items():
            child.fallback = _next(node.fallback, character) if node.fallback else root
            child.longest_match = child.longest_match or child.fallback.longest_match
            waiting.append(child)
    return root


def _next(node: _Node, character: str) -> _Node:
    while character not in node.children and node.fallback:
        node = node.fallback
    return node.children.get(character, node)


class StopStringMatcher:
    """Cuts a stream of text before the first stop string.

    First is the match that completes first; of those that complete at the same character, the one that begins first.
    Empty stop strings are ignored. Time is linear in the text; at most the longest stop string less one character is
    held back.
    """

    def __init__(self, stop_strings: Sequence[str]) -> None:
        self._root = _automaton([stop_string for stop_string in stop_strings if stop_string])
        self._node = self._root
        self._held = ""
        self._matched = False

    def feed(self, text: str) -> tuple[str, bool]:
        """Take the next piece of text.

        Returns:
            The text that may be shown now, and whether a stop string was completed. From then on nothing is shown.
        """
        if self._matched:
            return "", True
        if not self._root.children:
            return text, False
        node = self._node
        for index, character in enumerate(text):
            node = _next(node, character)
            if node.longest_match:
                self._matched = True
                return self._shown_before(text[: index + 1], node.longest_match), True
        self._node = node
        shown = self._shown_before(text, node.depth)
        self._held = (self._held + text)[len(shown) :]
        return shown, False

    def _shown_before(self, text: str, kept_back: int) -> str:
        available = self._held + text
        return available[: len(available) - kept_back]

    def flush(self) -> str:
        """Return what was held back, at the natural end of the text; empty after a match."""
        held = "" if self._matched else self._held
        self._held, self._node = "", self._root
        return held
