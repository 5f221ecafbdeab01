"""A few words that explain something: small, quiet, and on as many lines as they need."""

from __future__ import annotations

from enum import Enum
from typing import assert_never

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from desktop.theme.colors import Colors
from desktop.theme.theme import Theme

SIZE = 0.9


class Tone(Enum):
    """How a caption is meant: an explanation, or something that went wrong."""

    QUIET = "quiet"
    BAD = "bad"


class Caption(QLabel):
    """Shows plain text, never markup."""

    def __init__(self, theme: Theme, text: str = "", *, tone: Tone = Tone.QUIET, parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self._tone = tone
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self.setFont(theme.fonts.text(SIZE))
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.WindowText, QColor(_color(self._tone, theme.colors)))
        self.setPalette(palette)

    def show_text(self, text: str) -> None:
        """Show `text`; take no room without any."""
        self.setText(text)
        self.setVisible(bool(text))


def _color(tone: Tone, colors: Colors) -> str:
    match tone:
        case Tone.QUIET:
            return colors.muted
        case Tone.BAD:
            return colors.bad
        case _:
            assert_never(tone)
