"""The columns of a table: how wide each is, given what its cells hold and how much room there is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import floor

from PySide6.QtCore import Qt

from desktop.chat.transcript.look import Look
from desktop.chat.transcript.row import Sideways

CELL_PADDING = 0.65
NARROWEST_COLUMN = 5.0
WIDTH_STEP_PX = 8.0
"""Natural widths are rounded up to this, so that a growing table does not move with every row."""

_ALIGNMENTS = {
    "left": Qt.AlignmentFlag.AlignLeft,
    "right": Qt.AlignmentFlag.AlignRight,
    "center": Qt.AlignmentFlag.AlignHCenter,
}


class TableColumns:
    """The columns of one table.

    Attributes:
        alignments: one a column; left and right mean just that, whatever the text in the cells.
        is_mirrored: whether the first column is the rightmost.
        sideways: how far the table is scrolled.
        version: counts the changes of the natural widths.
        padding: px between a cell's edge and its text, left and right.
    """

    def __init__(self, alignments: Sequence[str], look: Look, *, is_mirrored: bool) -> None:
        leading = _ALIGNMENTS["right" if is_mirrored else "left"]
        absolute = Qt.AlignmentFlag.AlignAbsolute
        self.alignments = tuple(_ALIGNMENTS.get(alignment, leading) | absolute for alignment in alignments)
        self.is_mirrored = is_mirrored
        self.sideways = Sideways(is_mirrored=is_mirrored)
        self.version = 0
        self._natural = [WIDTH_STEP_PX] * len(alignments)
        self._narrowest = look.distance(NARROWEST_COLUMN)
        self.padding = look.distance(CELL_PADDING)

    def take(self, widths: Sequence[float]) -> None:
        """Take the natural widths in px of a row's cells, padding excluded."""
        for column, width in enumerate(widths):
            rounded = -(-width // WIDTH_STEP_PX) * WIDTH_STEP_PX
            if rounded > self._natural[column]:
                self._natural[column] = rounded
                self.version += 1

    def lefts(self, widths: Sequence[float]) -> list[float]:
        """Return the px from the table's left edge to each column's, for columns of `widths`."""
        ends = list(accumulate(widths))
        if self.is_mirrored:
            return [ends[-1] - end for end in ends]
        return [0.0, *ends[:-1]]

    def widths(self, available: float) -> list[float]:
        """Return each column's width in px, padding included, for a table in `available` px.

        Columns have their natural width where that fits. Where it does not, the wide ones give way, none below its
        narrowest; where even that does not fit, the table scrolls.
        """
        natural = [width + 2 * self.padding for width in self._natural]
        missing = sum(natural) - available
        if missing <= 0:
            return natural
        narrowest = [min(width, self._narrowest + 2 * self.padding) for width in natural]
        spare = sum(natural) - sum(narrowest)
        share = min(missing / spare, 1.0) if spare else 0.0
        widths: list[float] = [
            floor(width - (width - least) * share) for width, least in zip(natural, narrowest, strict=True)
        ]
        if missing <= spare:  # What rounding down has left belongs to a column, so that the table ends at the edge.
            widths[-1] += floor(available - sum(widths))
        return widths
