"""Colours on the lines of a document."""

from __future__ import annotations

from PySide6.QtGui import QColor, QSyntaxHighlighter, QTextCharFormat, QTextDocument

from desktop.chat.transcript.code_colors import Colored


class LineHighlighter(QSyntaxHighlighter):
    """Puts colours that are worked out elsewhere on a document's lines."""

    def __init__(self, document: QTextDocument) -> None:
        self.lines: list[list[Colored]] = []  # before Qt can ask for them
        super().__init__(document)

    def show(self, lines: list[list[Colored]]) -> int:
        """Show the colours of all lines; those whose colours stay are not touched. Return the first that is."""
        first = len(lines)
        before, self.lines = self.lines, lines
        block = self.document().firstBlock()
        for number, colored in enumerate(lines):
            if (before[number] if number < len(before) else []) != colored:
                first = min(first, number)
                self.rehighlightBlock(block)
            block = block.next()
        return first

    def highlightBlock(self, _text: str) -> None:
        """Colour the line that Qt is at."""
        number = self.currentBlock().blockNumber()
        for start, length, color in self.lines[number] if number < len(self.lines) else ():
            text_format = QTextCharFormat()
            text_format.setForeground(QColor(color))
            self.setFormat(start, length, text_format)
