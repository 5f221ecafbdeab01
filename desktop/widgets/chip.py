"""A word on a rounded ground of its colour: a verdict, or a mark of distinction."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from desktop.theme.colors import Colors
from desktop.theme.theme import Theme
from desktop.theme.tints import tinted

TEXT_SIZE = 0.85
GROUND_SHARE = 0.1
PADDING_EM = 0.6
HEIGHT_LINES = 1.35


class ChipTone(Enum):
    """What the word says: that all is well, to take care, that it will not do, or that this one stands out."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    ACCENT = "accent"
    QUIET = "quiet"


class Chip(QLabel):
    """Shows one word or a few; as wide as they are. `name` is the objectName, `label` says what the word is about."""

    def __init__(self, theme: Theme, name: str, label: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._tone = ChipTone.QUIET
        self.setObjectName(name)
        self.setAccessibleName(label)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._theme = theme
        self.updateGeometry()
        self.update()

    def show_word(self, text: str, tone: ChipTone) -> None:
        """Show `text`; nothing hides the chip."""
        self._tone = tone
        self.setText(text)
        self.setVisible(bool(text))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for the word."""
        return chip_size(self._theme, self.text()).toSize()

    def minimumSizeHint(self) -> QSize:
        """Return the same: a verdict is not cut off."""
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint ground and word."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_chip(painter, self._theme, QRectF(self.rect()).topLeft(), self.text(), self._tone)
        painter.end()


def chip_font(theme: Theme) -> QFont:
    """Return the font of the word."""
    return theme.fonts.text(TEXT_SIZE, weight=QFont.Weight.DemiBold)


def chip_size(theme: Theme, text: str) -> QSizeF:
    """Return how large a chip with `text` is."""
    metrics = QFontMetricsF(chip_font(theme))
    line = metrics.height()
    return QSizeF(metrics.horizontalAdvance(text) + 2 * PADDING_EM * line, line * HEIGHT_LINES)


def paint_chip(painter: QPainter, theme: Theme, corner: QPointF, text: str, tone: ChipTone) -> None:
    """Paint a chip whose left upper corner is `corner`."""
    area = QRectF(corner, chip_size(theme, text))
    ink, ground = chip_colors(theme.colors, tone)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(ground))
    painter.drawRoundedRect(area, area.height() / 2, area.height() / 2)
    painter.setPen(QColor(ink))
    painter.setFont(chip_font(theme))
    painter.drawText(area, Qt.AlignmentFlag.AlignCenter, text)


def chip_colors(colors: Colors, tone: ChipTone) -> tuple[str, str]:
    """Return ink and ground of a tone, as "#rrggbb"."""
    ink = {
        ChipTone.GOOD: colors.good,
        ChipTone.WARNING: colors.warning,
        ChipTone.BAD: colors.bad,
        ChipTone.ACCENT: colors.accent,
        ChipTone.QUIET: colors.muted,
    }[tone]
    return ink, tinted(colors.card, ink, GROUND_SHARE).name()
