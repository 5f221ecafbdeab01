"""A bar that is filled to a fraction: progress, context in use, share of a limit."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.theme.theme import Theme
from desktop.widgets.writing_direction import mirrored

HEIGHT_PX = 6
NEARLY_FULL = 0.9


class Meter(QWidget):
    """Empty while the fraction is unknown."""

    def __init__(self, theme: Theme, *, warns_when_full: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._warns_when_full = warns_when_full
        self._fraction: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return a thin bar."""
        return QSize(120, HEIGHT_PX)

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        self._theme = theme
        self.update()

    def set_fraction(self, fraction: float | None) -> None:
        """Fill to `fraction` (0 to 1, cut to that range); None empties."""
        bounded = None if fraction is None else min(1.0, max(0.0, fraction))
        if bounded != self._fraction:
            self._fraction = bounded
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the groove, then the filled part."""
        colors = self._theme.colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        groove = QRectF(0, (self.height() - HEIGHT_PX) / 2, self.width(), HEIGHT_PX)
        painter.setBrush(QColor(colors.hover))
        painter.drawRoundedRect(groove, HEIGHT_PX / 2, HEIGHT_PX / 2)
        if self._fraction:
            full = self._warns_when_full and self._fraction >= NEARLY_FULL
            painter.setBrush(QColor(colors.warning if full else colors.accent))
            groove.setWidth(max(HEIGHT_PX, groove.width() * self._fraction))
            filled = mirrored(groove, self.width(), self.layoutDirection())
            painter.drawRoundedRect(filled, HEIGHT_PX / 2, HEIGHT_PX / 2)
        painter.end()
