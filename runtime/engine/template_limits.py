"""What a chat template may use up, and the meter that holds it to that.

Each single operation of a template (joining, repeating, comparing, formatting …) runs in C and cannot be interrupted,
so its size is checked before it starts; time and memory are looked at between operations.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from enum import StrEnum
from time import perf_counter_ns
from typing import TypeGuard

import msgspec

NS_PER_SECOND = 1_000_000_000
LOOK_INTERVAL_NS = 10_000_000
LOOK_INTERVAL_CHARS = 4_000_000
TEXT_CHARS_PER_ITEM = 24
"""Room for a number, or for the quotes, brackets and commas around an item, when a list is written out."""
MAX_NUMBER_BITS = 1_024
MAX_FIELD_WIDTH = 10_000
MAX_SEARCH_STEPS = 1_000_000_000

DICT_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


class TemplateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one compilation or one rendering.

    Attributes:
        seconds: wall time.
        memory_bytes: growth of the process's resident memory.
        text_chars: length of the prompt, and of any text on the way to it.
        items: values in a list or mapping, those nested in it included.
        depth: how deep lists and mappings may be nested.
        source_chars: length of the template.
        code_chars: length of the Python code it is compiled to.
    """

    seconds: float = 2.0
    memory_bytes: int = 256 * 1024 * 1024
    text_chars: int = 16_000_000
    items: int = 1_000_000
    depth: int = 100
    source_chars: int = 1_000_000
    code_chars: int = 3_000_000


DEFAULT_LIMITS = TemplateLimits()


class Limit(StrEnum):
    """Which bound was reached."""

    TIME = "time"
    MEMORY = "memory"
    TEXT = "text"
    ITEMS = "items"
    DEPTH = "depth"
    NUMBER = "number"


class LimitError(BaseException):
    """A bound was reached. Not an `Exception`, so that nothing inside Jinja takes it for the template's own error."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit.value)
        self.limit = limit


class Weight(msgspec.Struct, frozen=True):
    """The size of a value with all that is nested in it, shared parts counted each time they occur.

    Attributes:
        items: values.
        chars: characters of its texts, and digits of its numbers where they are large.
        depth: how deep it is nested; 0 for what is no list or mapping.
    """

    items: int
    chars: int
    depth: int

    @property
    def text_chars(self) -> int:
        """Estimate of its length, written out."""
        return self.chars + TEXT_CHARS_PER_ITEM * self.items if self.depth else self.chars


def is_view(value: object) -> TypeGuard[Collection[object]]:
    """Return whether `value` is what `keys`, `values` or `items` of a mapping gave."""
    return isinstance(value, DICT_VIEWS)


class Meter:
    """Holds one template to its limits; `start` begins a new account.

    Attributes:
        limits: the limits.
        reached: which of time and memory was found exceeded, if any.
    """

    def __init__(
        self, limits: TemplateLimits, resident_bytes: Callable[[], int], clock_ns: Callable[[], int] = perf_counter_ns
    ) -> None:
        self.limits = limits
        self._resident_bytes = resident_bytes
        self._clock_ns = clock_ns
        self.start()

    def start(self) -> None:
        """Begin to count time and memory."""
        now_ns = self._clock_ns()
        self._deadline_ns = now_ns + int(self.limits.seconds * NS_PER_SECOND)
        self._look_ns = now_ns + LOOK_INTERVAL_NS
        self._unseen_chars = 0
        self.reached: Limit | None = None
        self._memory_before_bytes = self._resident_bytes()

    def tick(self) -> None:
        """Look at time and memory if the last look is 10 ms old; cheap enough for every operation.

        Raises:
            LimitError: there is no more time or memory.
        """
        if self._clock_ns() >= self._look_ns:
            self._look()

    def _look(self) -> None:
        exceeded = self.exceeded()
        if exceeded:
            raise LimitError(exceeded)
        self._unseen_chars = 0
        self._look_ns = self._clock_ns() + LOOK_INTERVAL_NS

    def exceeded(self, slack: float = 0.0) -> Limit | None:
        """Return which of time and memory is exceeded by more than the fraction `slack`, if any."""
        if self._clock_ns() > self._deadline_ns + slack * self.limits.seconds * NS_PER_SECOND:
            self.reached = Limit.TIME
        elif self._resident_bytes() - self._memory_before_bytes > self.limits.memory_bytes * (1 + slack):
            self.reached = Limit.MEMORY
        return self.reached

    def made(self, value: object) -> None:
        """Note a new value; much new text is reason for a look, too."""
        if isinstance(value, str):
            self._unseen_chars += len(value)
            if self._unseen_chars > LOOK_INTERVAL_CHARS:
                self._look()
        elif isinstance(value, int):
            self.check_number(value.bit_length())

    def check_text(self, chars: float) -> None:
        """Raise `LimitError` if a text of this length would be too long."""
        if chars > self.limits.text_chars:
            raise LimitError(Limit.TEXT)

    def check_items(self, items: float) -> None:
        """Raise `LimitError` if this is too many values."""
        if items > self.limits.items:
            raise LimitError(Limit.ITEMS)

    def check_number(self, bits: float) -> None:
        """Raise `LimitError` if a whole number of this many bits is too large."""
        if bits > MAX_NUMBER_BITS:
            raise LimitError(Limit.NUMBER)

    def check_width(self, width: object) -> None:
        """Raise `LimitError` if a field of this width is too wide; what is no number is Python's to refuse."""
        if isinstance(width, int) and abs(width) > MAX_FIELD_WIDTH:
            raise LimitError(Limit.TEXT)

    def check_search(self, text: object, pattern: object) -> None:
        """Raise `LimitError` if looking at every character of `pattern` for each of `text` takes too long."""
        if isinstance(text, str) and isinstance(pattern, str) and len(text) * len(pattern) > MAX_SEARCH_STEPS:
            raise LimitError(Limit.TIME)

    def weigh(self, value: object) -> Weight:
        """Return the size of `value`, so that comparing, hashing or writing it out is known to end.

        A list that holds one list twice, which holds another twice …, takes no memory and yet has 2^n members.

        Raises:
            LimitError: it is too large.
            TypeError: its members cannot be seen without using them up.
        """
        if isinstance(value, str):
            return Weight(1, len(value), 0)
        if isinstance(value, (int, float)) or value is None:
            return Weight(1, TEXT_CHARS_PER_ITEM, 0)
        return self._weigh_nested(value)

    def _weigh_nested(self, value: object) -> Weight:
        items = chars = depth = 0
        level = [value]
        while level:
            depth += 1
            items += len(level)
            if depth > self.limits.depth:
                raise LimitError(Limit.DEPTH)
            inner: list[object] = []
            for member in level:
                if isinstance(member, str):
                    chars += len(member)
                elif isinstance(member, int):
                    chars += member.bit_length() // 3
                else:
                    self._unfold(member, inner, items)
            level = inner
            self.check_text(chars)
        return Weight(items, chars, depth)

    def _unfold(self, value: object, inner: list[object], items: int) -> None:
        """Append the members of `value` to `inner`, if it has any."""
        if isinstance(value, (list, tuple, dict, range)) or is_view(value):
            self.check_items(items + len(inner) + len(value))
            inner.extend(value)
            if isinstance(value, dict):
                inner.extend(value.values())
        elif isinstance(value, Iterator):
            raise TypeError(f"{type(value).__name__} cannot be used as a value")
