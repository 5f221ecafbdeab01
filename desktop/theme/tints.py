"""Colours between two others: a word's own ground, the parts of a whole."""

from __future__ import annotations

from PySide6.QtGui import QColor


def tinted(ground: str, ink: str, share: float) -> QColor:
    """Return `ground` with a `share` of `ink` in it; both are "#rrggbb"."""
    below, above = QColor(ground), QColor(ink)
    return QColor(
        round(below.red() + (above.red() - below.red()) * share),
        round(below.green() + (above.green() - below.green()) * share),
        round(below.blue() + (above.blue() - below.blue()) * share),
    )
