"""What a plot of results shows, as values: bars with their intervals, points on two axes, or why there is nothing."""

from __future__ import annotations

import msgspec


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar: which series, how long, its interval (None for none), its value in words, and what stands behind it."""

    series: int
    label: str
    value: float
    low: float | None
    high: float | None
    text: str
    detail: str


class BarGroup(msgspec.Struct, frozen=True):
    """Bars on one scale, under one title."""

    title: str
    bars: tuple[Bar, ...]


class BarChart(msgspec.Struct, frozen=True, kw_only=True):
    """Groups of bars, each group on a scale of its own; `caption` says what is measured."""

    caption: str
    series: tuple[str, ...]
    groups: tuple[BarGroup, ...]


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A point with its interval in the vertical (None for none), a label beside it, and what stands behind it."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    label: str = ""
    detail: str = ""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one model; `joined` draws a line through them."""

    name: str
    marks: tuple[Mark, ...]
    joined: bool = False


class Guide(msgspec.Struct, frozen=True):
    """A limit: a line through points, with its name where it ends."""

    name: str
    points: tuple[tuple[float, float], ...]


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """An axis: what it shows, and whether each step is a factor of ten. A linear one begins at 0 if `from_zero`."""

    title: str
    is_log: bool = False
    from_zero: bool = True


class PointChart(msgspec.Struct, frozen=True, kw_only=True):
    """Points on two axes, and limits; `caption` says what is measured."""

    caption: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    guides: tuple[Guide, ...] = ()


class NoChart(msgspec.Struct, frozen=True):
    """Nothing to show, and why."""

    reason: str


Chart = BarChart | PointChart | NoChart


def details_of(chart: Chart) -> list[str]:
    """Return what stands behind every bar or point: for tooltips, and for who cannot see the plot."""
    match chart:
        case BarChart(groups=groups):
            return [bar.detail for group in groups for bar in group.bars]
        case PointChart(series=series):
            return [mark.detail for one in series for mark in one.marks]
        case NoChart(reason=reason):
            return [reason]
