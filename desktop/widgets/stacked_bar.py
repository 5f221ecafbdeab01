"""Parts of a whole side by side in one bar, with a mark where the limit is: what takes memory, and what there is."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.theme.colors import Colors
from desktop.theme.theme import Theme
from desktop.theme.tints import tinted

HEIGHT_PX = 14
MARK_OVERHANG_PX = 3
MARK_WIDTH_PX = 2.0
RADIUS_PX = 4.0
SHADES = (1.0, 0.62, 0.34, 0.2)
"""How much of the accent each part has, from the first to the last."""


class BarPart(msgspec.Struct, frozen=True):
    """A part: what it is, how large, and the size as text."""

    label: str
    size: float
    text: str


class StackedBar(QWidget):
    """The bar is as long as the larger of limit and whole; what is beyond the limit is in the colour of errors."""

    def __init__(self, theme: Theme, name: str, label: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._parts: tuple[BarPart, ...] = ()
        self._limit: float | None = None
        self.setObjectName(name)
        self.setAccessibleName(label)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return a bar with room for the mark."""
        return QSize(160, HEIGHT_PX + 2 * MARK_OVERHANG_PX)

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        self._theme = theme
        self.update()

    def show_parts(self, parts: Sequence[BarPart], limit: float | None) -> None:
        """Show `parts` from left to right; `limit` is what there is of it all, None if that is not known."""
        self._parts, self._limit = tuple(parts), limit
        self.setAccessibleDescription(", ".join(f"{part.label} {part.text}" for part in parts))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the ground, the parts and the mark."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bar = QRectF(0, MARK_OVERHANG_PX, self.width(), HEIGHT_PX)
        outline = QPainterPath()
        outline.addRoundedRect(bar, RADIUS_PX, RADIUS_PX)
        painter.fillPath(outline, QColor(self._theme.colors.hover))
        painter.setClipPath(outline)
        whole = sum(part.size for part in self._parts)
        scale = bar.width() / (max(whole, self._limit or 0.0) or 1.0)
        self._paint_parts(painter, bar, scale)
        painter.setClipping(False)
        if self._limit is not None and whole > 0:
            self._paint_mark(painter, bar, self._limit * scale)
        painter.end()

    def _paint_parts(self, painter: QPainter, bar: QRectF, scale: float) -> None:
        colors = self._theme.colors
        left = bar.left()
        limit = bar.right() if self._limit is None else bar.left() + self._limit * scale
        beyond = QRectF(limit, bar.top(), max(0.0, bar.right() - limit), bar.height())
        for index, part in enumerate(self._parts):
            area = QRectF(left, bar.top(), part.size * scale, bar.height())
            painter.fillRect(area, part_color(colors, index))
            painter.fillRect(area & beyond, part_color(colors, index, is_beyond=True))
            left = area.right()

    def _paint_mark(self, painter: QPainter, bar: QRectF, where: float) -> None:
        x = min(bar.left() + where, bar.right()) - MARK_WIDTH_PX
        mark = QRectF(max(x, bar.left()), 0, MARK_WIDTH_PX, self.height())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._theme.colors.text))
        painter.drawRoundedRect(mark, MARK_WIDTH_PX / 2, MARK_WIDTH_PX / 2)


def part_color(colors: Colors, index: int, *, is_beyond: bool = False) -> QColor:
    """Return the colour of the part at `index`, or of what there is no room for of it."""
    return tinted(colors.card, colors.bad if is_beyond else colors.accent, SHADES[min(index, len(SHADES) - 1)])
