"""Figures that others have published, with their sources: something to hold one's own against."""

from __future__ import annotations

from pathlib import Path

import msgspec

FILE_NAME = Path("benchmarks") / "published.json"


class PublishedFigure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure as it was published.

    Attributes:
        machine: chip, and memory or GPU cores where the source says.
        model: which model.
        quantization: as the source names it.
        engine: what ran it.
        tokens_per_second: of writing.
        test: what was measured, in the source's words.
        source: address of the document.
        checked: when the figure was read there, YYYY-MM-DD.
    """

    machine: str
    model: str
    quantization: str
    engine: str
    tokens_per_second: float
    test: str
    source: str
    checked: str


def read_published(assets: Path) -> tuple[PublishedFigure, ...]:
    """Return the figures that ship with the app, the fastest first. Blocks.

    Raises:
        msgspec.MsgspecError: the file is damaged; a bug of ours, as it ships with the app.
    """
    figures = msgspec.json.decode((assets / FILE_NAME).read_bytes(), type=tuple[PublishedFigure, ...])
    return tuple(sorted(figures, key=lambda one: -one.tokens_per_second))
