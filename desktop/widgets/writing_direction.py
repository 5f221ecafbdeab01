"""Which way a text runs, by the Unicode bidirectional algorithm's rule for paragraphs (P2, P3), and painting it so.

An interface from right to left still has texts that run the other way ("41.2 tok/s", a title in English): they stand at
the side where the interface begins, and keep the order of their own words.
"""

from __future__ import annotations

import re

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyle

_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_MAY_RUN_LEFT = re.compile("[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]")
"""The blocks of Unicode with every character that runs from right to left."""
_STRONG = _RIGHT_TO_LEFT | {"L"}


def runs_right_to_left(text: str) -> bool:
    """Tell whether the first character that has a direction has the one from right to left."""
    if not _MAY_RUN_LEFT.search(text):
        return False
    import unicodedata  # noqa: PLC0415 - a megabyte of tables, for texts that may need them

    return next((d in _RIGHT_TO_LEFT for d in map(unicodedata.bidirectional, text) if d in _STRONG), False)


def draw_line(painter: QPainter, area: QRectF, text: str, alignment: Qt.AlignmentFlag) -> None:
    """Draw a line in its own direction, aligned as the painter's direction has it (left is where that begins)."""
    side = QStyle.visualAlignment(painter.layoutDirection(), alignment)
    direction = Qt.LayoutDirection.RightToLeft if runs_right_to_left(text) else Qt.LayoutDirection.LeftToRight
    before = painter.layoutDirection()
    painter.setLayoutDirection(direction)
    painter.drawText(area, side | Qt.AlignmentFlag.AlignAbsolute | Qt.AlignmentFlag.AlignVCenter, text)
    painter.setLayoutDirection(before)


def mirrored(area: QRectF, width: float, direction: Qt.LayoutDirection) -> QRectF:
    """Return where `area` of something `width` wide is in `direction`; it is given as from left to right."""
    if direction is Qt.LayoutDirection.LeftToRight:
        return area
    return QRectF(width - area.right(), area.top(), area.width(), area.height())
