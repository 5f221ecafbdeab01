"""The columns of a table: how wide each is, given what its cells hold and how much room there is."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

from PySide6.QtCore import Qt

from desktop.chat.transcript.look import Look
from desktop.chat.transcript.row import Sideways

CELL_PADDING = 0.65
NARROWEST_COLUMN = 5.0
WIDTH_STEP_PX = 8.0
"""Natural widths are rounded up to this, so that a growing table does not move with every row."""

_ALIGNMENTS = {
    "": Qt.AlignmentFlag.AlignLeft,
    "left": Qt.AlignmentFlag.AlignLeft,
    "right": Qt.AlignmentFlag.AlignRight,
    "center": Qt.AlignmentFlag.AlignHCenter,
}


class TableColumns:
    """The columns of one table.

    Attributes:
        alignments: one a column.
        sideways: how far the table is scrolled.
        version: counts the changes of the natural widths.
        padding: px between a cell's edge and its text, left and right.
    """

    def __init__(self, alignments: Sequence[str], look: Look) -> None:
        self.alignments = tuple(_ALIGNMENTS[alignment] for alignment in alignments)
        self.sideways = Sideways()
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
        return [floor(width - (width - least) * share) for width, least in zip(natural, narrowest, strict=True)]
