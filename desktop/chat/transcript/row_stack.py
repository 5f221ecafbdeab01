"""Rows on top of each other: where each stands, and which are measured."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from desktop.chat.transcript.row import Row


class RowStack:
    """A column of rows.

    Attributes:
        rows: from top to bottom.
        tops: px from the stack's top edge to each row's.
        height: px of all of them; an estimate as long as one of its rows is.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.tops: list[float] = []
        self.height = 0.0

    def replace_from(self, index: int, rows: Sequence[Row], width_of: Callable[[Row], float]) -> None:
        """Put `rows` in place of those from `index` on; heights not known yet are estimated."""
        self.rows[index:] = rows
        for row in rows:
            width = width_of(row)
            if not row.is_measured(width):
                row.estimate(width)
        self.restack(index)

    def restack(self, index: int = 0) -> None:
        """Work out the tops anew from `index` on, because heights have changed."""
        del self.tops[index:]
        y = self.tops[-1] + self.rows[index - 1].height if self.tops else 0.0
        for row in self.rows[index:]:
            y += row.gap_above
            self.tops.append(y)
            y += row.height
        self.height = y

    def index_at(self, y: float) -> int:
        """Return the row at `y`, or the nearest one; the gap above a row belongs to it."""
        index = max(bisect_right(self.tops, y) - 1, 0)
        if index + 1 < len(self.rows) and y >= self.tops[index] + self.rows[index].height:
            return index + 1
        return index

    def measure(self, top: float, bottom: float, width_of: Callable[[Row], float]) -> bool:
        """Measure the rows that stand between `top` and `bottom` px; tell whether a height changed."""
        if not self.rows:
            return False
        index = self.index_at(top)
        changed_at: int | None = None
        y = self.tops[index]
        while index < len(self.rows) and y < bottom:
            row = self.rows[index]
            before, width = row.height, width_of(row)
            if not row.is_measured(width):
                row.measure(width)
            if row.height != before and changed_at is None:
                changed_at = index
            y += row.height
            index += 1
            if index < len(self.rows):
                y += self.rows[index].gap_above
        if changed_at is not None:
            self.restack(changed_at)
        return changed_at is not None
