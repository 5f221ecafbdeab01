"""Find in page: every occurrence of a query in the text that is shown, gathered a few milliseconds at a time."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter_ns
from typing import NamedTuple

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.chat.transcript.message_item import MessageItem
from desktop.chat.transcript.places import RowPlace
from desktop.chat.transcript.row import Span, TextRow, utf16_length

SLICE_NS = 5_000_000
_MARKUP = re.compile(r"[*_`~\[\]\\$#>|\s]+")


class Hit(NamedTuple):
    """An occurrence."""

    place: RowPlace
    span: Span


class TextFinder(QObject):
    """Finds text in messages.

    Signals:
        changed: more was found, or the current hit is another one.

    Attributes:
        query: what is looked for; empty for nothing.
        hits: what was found so far, in order.
        is_searching: whether there are messages that were not searched yet.
        current: the hit that the user is at; None for none.
    """

    changed = Signal()

    def __init__(
        self,
        items: Callable[[], Sequence[MessageItem]],
        place_in_view: Callable[[], RowPlace],
        parent: QObject,
        clock_ns: Callable[[], int] = perf_counter_ns,
    ) -> None:
        super().__init__(parent)
        self.query = ""
        self.hits: list[Hit] = []
        self.is_searching = False
        self.current: Hit | None = None
        self._items = items
        self._place_in_view = place_in_view
        self._clock_ns = clock_ns
        self._in_row: dict[RowPlace, tuple[Span, ...]] = {}
        self._search: Iterator[None] = iter(())
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._go_on)

    @property
    def current_number(self) -> int:
        """Which hit the user is at, from 1; 0 for none."""
        return 0 if self.current is None else bisect_left(self.hits, self.current) + 1

    def start(self, query: str) -> None:
        """Look for another query, first in what is in view and below, then in what is above."""
        self.query = query
        self._forget()
        if query.strip():
            self.is_searching = True
            self._search = self._search_all(_pattern(query), self._place_in_view().message)
            self._go_on()
        else:
            self.changed.emit()

    def stop(self) -> None:
        """Look for nothing."""
        self.start("")

    def restart(self) -> None:
        """Look for the same query again, because messages have changed."""
        if self.query:
            self.start(self.query)

    def step(self, by: int) -> Hit | None:
        """Go to the next hit (1) or the previous one (-1), first to the one next to what is in view; return it."""
        if not self.hits:
            return None
        if self.current is None:
            index = bisect_left(self.hits, Hit(self._place_in_view(), (0, 0))) - (by < 0)
        else:
            index = bisect_left(self.hits, self.current) + by
        self.current = self.hits[index % len(self.hits)]
        self.changed.emit()
        return self.current

    def hits_in(self, place: RowPlace) -> tuple[tuple[Span, ...], Span | None]:
        """Return the hits in a row, and which of them the user is at."""
        current = self.current
        span = current.span if current is not None and current.place == place else None
        return self._in_row.get(place, ()), span

    def _forget(self) -> None:
        self._timer.stop()
        self.hits, self._in_row, self.current, self.is_searching = [], {}, None, False

    def _go_on(self) -> None:
        deadline_ns = self._clock_ns() + SLICE_NS
        for _ in self._search:
            if self._clock_ns() > deadline_ns:
                self._timer.start(0)
                break
        else:
            self.is_searching = False
        self.changed.emit()

    def _search_all(self, pattern: re.Pattern[str], first_message: int) -> Iterator[None]:
        bare_query = _MARKUP.sub("", self.query).casefold()
        items = list(self._items())
        for number in (*range(first_message, len(items)), *range(min(first_message, len(items)))):
            item = items[number]
            if item.stack.rows or bare_query in _MARKUP.sub("", item.answer() + item.reasoning()).casefold():
                item.build()
                for index, row in enumerate(item.stack.rows):
                    if isinstance(row, TextRow):
                        self._search_row(pattern, RowPlace(number, index), row)
            yield

    def _search_row(self, pattern: re.Pattern[str], place: RowPlace, row: TextRow) -> None:
        text = row.plain_text()
        spans = tuple(
            (utf16_length(text[: match.start()]), utf16_length(text[: match.end()])) for match in pattern.finditer(text)
        )
        if spans:
            self._in_row[place] = spans
            where = bisect_left(self.hits, Hit(place, spans[0]))
            self.hits[where:where] = [Hit(place, span) for span in spans]


def _pattern(query: str) -> re.Pattern[str]:
    """Return a pattern for `query` that ignores case and how white space is written."""
    return re.compile(r"\s+".join(re.escape(word) for word in query.split()), re.IGNORECASE)
