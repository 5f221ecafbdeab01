"""The theme worked out for the transcript: fonts, text formats, colours and distances, made once for each theme."""

from __future__ import annotations

import msgspec
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPalette, QTextCharFormat

from desktop.chat.markdown.run import Style
from desktop.theme.theme import Theme

HEADING_SCALES = (1.5, 1.3, 1.15, 1.05, 1.0, 0.95)
INLINE_CODE_SCALE = 0.9
"""Small enough that a line with code in it is no higher than one without."""
LINE_HEIGHT_PERCENT = 138
CODE_LINE_HEIGHT_PERCENT = 110


class SyntaxColors(msgspec.Struct, frozen=True):
    """Colours of code as "#rrggbb", on the theme's ground of code blocks."""

    keyword: str
    string: str
    comment: str
    name: str
    number: str
    operator: str


LIGHT_SYNTAX = SyntaxColors("#8b2fa0", "#1a7030", "#666b75", "#1d5fc2", "#8f5100", "#0b6a7c")
DARK_SYNTAX = SyntaxColors("#d38ae8", "#9fd07f", "#939aa6", "#6fb5f5", "#dda56c", "#63c0cf")


class Look:
    """How the transcript looks under one theme; muted, for the reasoning.

    Attributes:
        text_font: of running text.
        code_font: of code.
        small_font: of figures and labels.
        line_height: of running text, px.
        character_width: of an average character of running text, px.
        code_line_height: of code, px.
        code_character_width: of code, px.
        unit: the distance that all others are fractions of, px.
    """

    def __init__(self, theme: Theme, *, is_muted: bool = False) -> None:
        fonts = theme.fonts
        self.theme = theme
        self.colors = theme.colors
        self.syntax = DARK_SYNTAX if theme.colors.dark else LIGHT_SYNTAX
        self.text_font = fonts.text()
        self.code_font = fonts.code()
        self.inline_code_font = fonts.code(INLINE_CODE_SCALE)
        self.small_font = fonts.text(0.86)
        self.bold_small_font = fonts.text(0.86, weight=QFont.Weight.DemiBold)
        metrics = QFontMetricsF(self.text_font)
        code_metrics = QFontMetricsF(self.code_font)
        self.line_height = metrics.height() * LINE_HEIGHT_PERCENT / 100
        self.character_width = metrics.averageCharWidth()
        self.code_line_height = code_metrics.height() * CODE_LINE_HEIGHT_PERCENT / 100
        self.code_character_width = code_metrics.horizontalAdvance("0")
        self.unit = metrics.height()
        self.palette = _palette(theme.colors.muted if is_muted else theme.colors.text)
        self._formats: dict[tuple[Style, bool], QTextCharFormat] = {}
        self._metrics: dict[Style, QFontMetricsF] = {}

    def distance(self, units: float) -> float:
        """Return a distance in px that follows the size of text."""
        return round(self.unit * units)

    def heading_font(self, level: int) -> QFont:
        """Return the font of a heading of `level` 1 to 6."""
        return self.theme.fonts.text(HEADING_SCALES[level - 1], weight=QFont.Weight.DemiBold)

    def format(self, style: Style, *, is_link: bool = False) -> QTextCharFormat:
        """Return the format of text in `style`; the size of code is for the document to say."""
        key = (style, is_link)
        if key not in self._formats:
            self._formats[key] = self._new_format(style, is_link=is_link)
        return self._formats[key]

    def text_width(self, text: str, style: Style) -> float:
        """Return the width in px of a line of running text in `style`."""
        if style not in self._metrics:
            font = QFont(self.inline_code_font if style & Style.CODE else self.text_font)
            if style & Style.BOLD:
                font.setWeight(QFont.Weight.DemiBold)
            font.setItalic(bool(style & Style.ITALIC))
            self._metrics[style] = QFontMetricsF(font)
        return self._metrics[style].horizontalAdvance(text)

    def small_width(self, text: str) -> float:
        """Return the width in px of a label in the small font."""
        return QFontMetricsF(self.small_font).horizontalAdvance(text)

    def _new_format(self, style: Style, *, is_link: bool) -> QTextCharFormat:
        text_format = QTextCharFormat()
        if style & Style.BOLD:
            text_format.setFontWeight(QFont.Weight.DemiBold)
        if style & Style.ITALIC:
            text_format.setFontItalic(True)
        if style & Style.STRIKE:
            text_format.setFontStrikeOut(True)
        if style & Style.CODE:
            text_format.setFontFamilies([self.inline_code_font.family()])
        if is_link:
            text_format.setForeground(QColor(self.colors.accent))
            text_format.setFontUnderline(True)
        return text_format


def _palette(text_color: str) -> QPalette:
    """Return the palette that documents are painted with."""
    palette = QPalette()
    palette.setColor(QPalette.ColorRole.Text, QColor(text_color))
    return palette
