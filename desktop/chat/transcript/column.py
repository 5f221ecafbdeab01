"""The column that messages stand in, and the user's bubbles in it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF

from desktop.chat.transcript.look import Look

BUBBLE_SHARE = 0.8
BUBBLE_PADDING_X, BUBBLE_PADDING_Y = 0.85, 0.5


@dataclass(frozen=True, slots=True)
class Column:
    """The column that messages stand in.

    Attributes:
        left: px from the viewport's edge.
        width: px.
        is_mirrored: whether the user's side is the left.
        retry_width: px that a Retry button takes.
        buttons_width: px that the buttons beside a message take.
    """

    left: float
    width: float
    is_mirrored: bool
    retry_width: float
    buttons_width: float

    def bubble_text_width(self, look: Look) -> float:
        """Return the most that a line in a bubble may take, px."""
        return round(self.width * BUBBLE_SHARE) - 2 * look.distance(BUBBLE_PADDING_X)

    def bubble(self, text_width: float, bottom: float, look: Look) -> QRectF:
        """Return the bubble around text that takes `text_width` px and ends at `bottom` px."""
        width = text_width + 2 * look.distance(BUBBLE_PADDING_X)
        left = self.left if self.is_mirrored else self.left + self.width - width
        return QRectF(left, 0, width, bottom + look.distance(BUBBLE_PADDING_Y))
