"""Styled text: what inline markdown becomes, whatever it is shown with."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Flag, auto

import msgspec


class Style(Flag):
    """How a run looks."""

    PLAIN = 0
    BOLD = auto()
    ITALIC = auto()
    STRIKE = auto()
    CODE = auto()
    MATH = auto()


class Run(msgspec.Struct, frozen=True):
    """Text in one style; `address` is where it leads if it is a link. A newline is a line break."""

    text: str
    style: Style = Style.PLAIN
    address: str = ""


def merged(runs: Iterable[Run]) -> list[Run]:
    """Return the runs without empty ones, neighbours that look alike made one."""
    kept: list[Run] = []
    for run in runs:
        if not run.text:
            continue
        last = kept[-1] if kept else None
        if last is not None and (last.style, last.address) == (run.style, run.address):
            kept[-1] = Run(last.text + run.text, run.style, run.address)
        else:
            kept.append(run)
    return kept
