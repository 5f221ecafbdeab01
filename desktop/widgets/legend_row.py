"""A part of a stacked bar in words: a spot in its colour, what it is, and how large."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from desktop.theme.theme import Theme
from desktop.widgets.figure_row import FigureRow
from desktop.widgets.stacked_bar import part_color

SPOT_PX = 9.0
INDENT_PX = 17


class LegendRow(FigureRow):
    """`index` is the part's place in the bar; `name` is the value's objectName."""

    def __init__(
        self, theme: Theme, index: int, name: str, label: str, explanation: str, *, parent: QWidget | None = None
    ) -> None:
        super().__init__(theme, name, label, explanation, parent=parent)
        self._index = index
        self._theme = theme
        self.label = label
        is_mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        self.setContentsMargins(0 if is_mirrored else INDENT_PX, 0, INDENT_PX if is_mirrored else 0, 0)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        super().apply_theme(theme)
        self._theme = theme
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the spot where the line begins."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(part_color(self._theme.colors, self._index))
        is_mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        left = self.width() - SPOT_PX if is_mirrored else 0.0
        painter.drawRoundedRect(QRectF(left, (self.height() - SPOT_PX) / 2, SPOT_PX, SPOT_PX), 3, 3)
        painter.end()
