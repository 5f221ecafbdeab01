"""A field for a system prompt: plain text on many lines."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QSize, Signal
from PySide6.QtWidgets import QPlainTextEdit, QWidget

LINES = 6
MAX_PASTE_CHARACTERS = 100_000
"""Laying out more would freeze the window, and no context would be left for the chat."""


class PromptField(QPlainTextEdit):
    """Tab leaves it, as in every other field.

    Signals:
        paste_refused: a text too long was pasted; carries its length in characters.
    """

    paste_refused = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("systemPromptField")
        self.setTabChangesFocus(True)

    def sizeHint(self) -> QSize:
        """Return room for a few lines."""
        margins = 2 * (self.frameWidth() + round(self.document().documentMargin()))
        return QSize(super().sizeHint().width(), LINES * self.fontMetrics().lineSpacing() + margins)

    def minimumSizeHint(self) -> QSize:
        """Return the same height: less is no room to write."""
        return QSize(super().minimumSizeHint().width(), self.sizeHint().height())

    def insertFromMimeData(self, source: QMimeData) -> None:
        """Insert plain text, unless there is too much of it."""
        text = source.text()
        if len(text) > MAX_PASTE_CHARACTERS:
            self.paste_refused.emit(len(text))
        else:
            self.insertPlainText(text)
