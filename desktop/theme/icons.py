"""Icons: lucide's outlines, tinted in the theme's colours and sharp at every scale."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

DISABLED_OPACITY = 0.4


class TintedIconEngine(QIconEngine):
    """Paints one SVG at whatever size and scale is asked for. What is drawn once is kept; the SVG's tree is not."""

    def __init__(self, svg: bytes) -> None:
        super().__init__()
        self._svg = svg
        self._drawn: dict[tuple[int, int, float], QPixmap] = {}

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, _state: QIcon.State) -> None:
        """Paint into `rect`, fainter where the control is disabled."""
        painter.save()
        if mode == QIcon.Mode.Disabled:
            painter.setOpacity(DISABLED_OPACITY)
        painter.drawPixmap(rect, self._drawing(rect.size(), painter.device().devicePixelRatioF()))
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """Return the icon on a transparent ground."""
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(0, 0, size.width(), size.height()), mode, state)
        painter.end()
        return pixmap

    def _drawing(self, size: QSize, scale: float) -> QPixmap:
        """Return the icon at `size`, in as many pixels as a screen of `scale` has for it."""
        key = (size.width(), size.height(), scale)
        if key not in self._drawn:
            pixmap = QPixmap(round(size.width() * scale), round(size.height() * scale))
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            QSvgRenderer(QByteArray(self._svg)).render(painter, QRectF(pixmap.rect()))
            painter.end()
            pixmap.setDevicePixelRatio(scale)
            self._drawn[key] = pixmap
        return self._drawn[key]

    def clone(self) -> TintedIconEngine:
        """Return a copy, as Qt asks when icons are copied."""
        return TintedIconEngine(self._svg)


class Icons:
    """The icons of a folder by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[str, str], QIcon] = {}

    def icon(self, name: str, color: str) -> QIcon:
        """Return icon `name` in `color` ("#rrggbb").

        Raises:
            FileNotFoundError: there is no such icon; a bug of ours.
        """
        key = (name, color)
        if key not in self._made:
            svg = (self._folder / f"{name}.svg").read_bytes().replace(b"currentColor", color.encode())
            self._made[key] = QIcon(TintedIconEngine(svg))
        return self._made[key]
