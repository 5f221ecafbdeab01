"""Where something is in the transcript: a message, a row of it, a place in the row's text."""

from __future__ import annotations

from typing import NamedTuple


class TextPlace(NamedTuple):
    """A place in the text; places compare as they follow each other.

    Attributes:
        message: index of the message.
        row: index of the row in it.
        offset: UTF-16 code units from the row's start.
    """

    message: int
    row: int
    offset: int


class RowPlace(NamedTuple):
    """A row: index of the message, index of the row in it."""

    message: int
    row: int
