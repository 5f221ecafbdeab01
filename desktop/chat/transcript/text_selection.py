"""What is selected, across rows and messages, and what copying it gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from desktop.chat.markdown.block import Block, BlockKind
from desktop.chat.transcript.message_item import MessageItem
from desktop.chat.transcript.places import RowPlace, TextPlace
from desktop.chat.transcript.row import Span, TextRow

TO_END = 1 << 30
"""An offset beyond the end of any row."""


class TextSelection:
    """From where the selection began to where it ends now.

    Attributes:
        anchor: where it began; None if nothing is selected.
        head: the other end, which moves.
    """

    def __init__(self) -> None:
        self.anchor: TextPlace | None = None
        self.head: TextPlace | None = None

    def clear(self) -> None:
        """Select nothing."""
        self.anchor = self.head = None

    def select(self, anchor: TextPlace, head: TextPlace) -> None:
        """Select from `anchor` to `head`."""
        self.anchor, self.head = anchor, head

    def ordered(self) -> tuple[TextPlace, TextPlace] | None:
        """Return start and end; None if there is nothing between them."""
        if self.anchor is None or self.head is None or self.anchor == self.head:
            return None
        return min(self.anchor, self.head), max(self.anchor, self.head)

    def span_in(self, place: RowPlace) -> Span | None:
        """Return what of a row is selected."""
        ends = self.ordered()
        if ends is None:
            return None
        start, end = ends
        if place < (start.message, start.row) or place > (end.message, end.row):
            return None
        first = start.offset if place == (start.message, start.row) else 0
        last = end.offset if place == (end.message, end.row) else TO_END
        return (first, last) if first < last else None

    def plain_text(self, items: Sequence[MessageItem]) -> str:
        """Return the selected text as it is read."""
        return "\n\n".join(
            text
            for number, item in self._selected_items(items)
            if (text := _joined(list(self._selected_rows(number, item))))
        )

    def markdown(self, items: Sequence[MessageItem]) -> str:
        """Return the source of all blocks that are selected, even if only in part."""
        sources = []
        for number, item in self._selected_items(items):
            rows = [i for i in range(len(item.stack.rows)) if self.span_in(RowPlace(number, i))]
            sources.append(item.markdown_of(rows[0], rows[-1]) if rows else "")
        return "\n\n".join(source for source in sources if source)

    def _selected_items(self, items: Sequence[MessageItem]) -> Iterator[tuple[int, MessageItem]]:
        ends = self.ordered()
        if ends is None:
            return
        for number in range(ends[0].message, min(ends[1].message + 1, len(items))):
            items[number].build()
            yield number, items[number]

    def _selected_rows(self, number: int, item: MessageItem) -> Iterator[tuple[TextRow, str]]:
        for index, row in enumerate(item.stack.rows):
            span = self.span_in(RowPlace(number, index))
            if isinstance(row, TextRow) and span is not None:
                yield row, row.copied_text(span[0], min(span[1], row.length()))


def _joined(rows: Sequence[tuple[TextRow, str]]) -> str:
    pieces: list[str] = []
    before: Block | None = None
    for row, text in rows:
        if before is not None:
            pieces.append(_separator(before, row.block))
        pieces.append(text)
        before = row.block
    return "".join(pieces)


def _separator(above: Block, below: Block) -> str:
    """Return what stands between two rows' texts."""
    is_same = (above.start, above.kind, above.containers) == (below.start, below.kind, below.containers)
    if is_same or (above.containers and below.containers and not below.after_blank_line):
        return "\n"
    if below.kind is BlockKind.PLAIN:
        return "\n" if above.end - above.start > len(above.text) else ""
    return "\n\n"
