"""From rows of results to plots: speed with intervals, writing against depth, the roofline, quality against speed."""

from __future__ import annotations

from collections.abc import Sequence

from desktop.bench import words
from desktop.bench.chart import Axis, Bar, BarChart, BarGroup, Chart, Guide, Mark, NoChart, PointChart, Series
from desktop.bench.words import tr
from runtime.bench.record import BenchRow
from runtime.values.wording import bandwidth_text, number_text, operations_text, rate_text

OPERATIONS_PER_WEIGHT = 2
"""A multiplication and an addition."""
READING = "pp"
"""What the names of tests begin with that read a prompt."""
ROOM = 4.0
"""How far the roof is drawn beyond the points, as a factor."""


def speed_chart(rows: Sequence[BenchRow]) -> Chart:
    """Return the speed of each test, the models side by side."""
    timed = [row for row in rows if row.avg_ts is not None]
    if not timed:
        return NoChart(tr("No test has been measured yet."))
    names = _variants(timed)
    groups = tuple(
        BarGroup(test, tuple(_bar(row, names.index(_key(row))) for row in timed if row.test == test))
        for test in dict.fromkeys(row.test for row in timed)
    )
    return BarChart(
        caption=tr("Tokens a second with the 95 % interval of the mean; each test has a scale of its own."),
        series=_titles(timed),
        groups=groups,
    )


def depth_chart(rows: Sequence[BenchRow]) -> Chart:
    """Return the speed of writing against the tokens in the KV cache."""
    writing = [row for row in rows if row.n_gen and not row.n_prompt and row.avg_ts is not None]
    if len({row.n_depth for row in writing}) < 2:
        return NoChart(
            tr(
                "This takes writing at two depths at least. Standard and Thorough measure it, where the model's"
                " context has room; or choose tests such as tg128, tg128@d4096."
            )
        )
    series = tuple(
        Series(name=title, marks=tuple(_depth_mark(row) for row in writing if _key(row) == key), joined=True)
        for key, title in zip(_variants(writing), _titles(writing), strict=True)
    )
    return PointChart(
        caption=tr("Writing slows down as the conversation grows: every token reads the KV cache, too."),
        x=Axis(title=tr("Tokens in the KV cache")),
        y=Axis(title=tr("Engine tok/s")),
        series=series,
    )


def roofline_chart(rows: Sequence[BenchRow]) -> Chart:
    """Return runs as points under the roof: memory bandwidth on the slope, arithmetic on the flat part."""
    bandwidths = [row.roofline.bandwidth_bytes_per_second for row in rows if row.roofline is not None]
    if not bandwidths:
        return NoChart(
            tr(
                "This takes a test of writing such as tg128, and the memory bandwidth of the device that the model"
                " runs on, which this engine did not measure."
            )
        )
    bandwidth = max(bandwidths)
    marks = {row_key: found for row_key in _variants(rows) if (found := _roofline_marks(rows, row_key))}
    if not marks:
        return NoChart(tr("The models do not say how many weights they have."))
    titles = dict(zip(_variants(rows), _titles(rows), strict=True))
    return PointChart(
        caption=tr("Left, memory sets the limit; right, arithmetic does. Writing is left, reading a prompt right."),
        x=Axis(title=tr("Operations for each byte read (FLOP/B)"), is_log=True),
        y=Axis(title=tr("Operations a second (FLOP/s)"), is_log=True),
        series=tuple(Series(name=titles[key], marks=found) for key, found in marks.items()),
        guides=_roof([mark for found in marks.values() for mark in found], bandwidth, _peak(rows)),
    )


def quality_chart(rows: Sequence[BenchRow]) -> Chart:
    """Return each model's quality against its speed of writing."""
    scored = [row for row in rows if row.quality is not None]
    if not scored:
        return NoChart(tr("Quality was not measured. Thorough does, or choose tests of your own and tick quality."))
    writing = [row for row in scored if row.n_gen and not row.n_prompt and not row.n_depth and row.avg_ts is not None]
    if not writing:
        return NoChart(tr("The speed of writing was not measured: add a test such as tg128."))
    first = {key: next(row for row in writing if _key(row) == key) for key in _variants(writing)}
    titles = dict(zip(_variants(writing), _titles(writing), strict=True))
    return PointChart(
        caption=tr("The trade at a glance: fast is right, good is low."),
        x=Axis(title=tr("Engine tok/s, writing")),
        y=Axis(title=tr("Perplexity (less is better)"), from_zero=False),
        series=tuple(Series(name=titles[key], marks=(_quality_mark(row, titles[key]),)) for key, row in first.items()),
    )


def _key(row: BenchRow) -> tuple[str, str, str]:
    return row.model.name, row.engine.value, row.model_filename


def _variants(rows: Sequence[BenchRow]) -> list[tuple[str, str, str]]:
    return list(dict.fromkeys(map(_key, rows)))


def _titles(rows: Sequence[BenchRow]) -> tuple[str, ...]:
    """Return what the models are called; where two are called the same, with their engines."""
    first = {_key(row): row for row in reversed(rows)}
    names = [words.variant_name(first[key]) for key in _variants(rows)]
    return tuple(
        name if names.count(name) == 1 else f"{name} ({key[1]})"
        for name, key in zip(names, _variants(rows), strict=True)
    )


def _detail(row: BenchRow) -> str:
    lines = (
        f"{words.variant_name(row)} · {row.test}",
        tr("{rate} tok/s").format(rate=rate_text(row.avg_ts, words.half_width(row.interval_ts))),
        words.interval_words(row),
        words.samples_text(row),
        "; ".join(words.notes_of(row, is_running=False)),
    )
    return "\n".join(filter(None, lines))


def _bar(row: BenchRow, series: int) -> Bar:
    interval = row.interval_ts
    return Bar(
        series=series,
        label=words.variant_name(row),
        value=row.avg_ts or 0.0,
        low=interval.low if interval is not None else None,
        high=interval.high if interval is not None else None,
        text=rate_text(row.avg_ts, words.half_width(interval)),
        detail=_detail(row),
    )


def _depth_mark(row: BenchRow) -> Mark:
    interval = row.interval_ts
    return Mark(
        x=row.n_depth,
        y=row.avg_ts or 0.0,
        low=interval.low if interval is not None else None,
        high=interval.high if interval is not None else None,
        detail=_detail(row),
    )


def _roofline_marks(rows: Sequence[BenchRow], key: tuple[str, str, str]) -> tuple[Mark, ...]:
    """Return a model's tests of writing and reading.

    Writing: two operations for each weight that takes part (`bytes_per_token` of all tensors' bytes), per bytes read.
    Reading: its own figure, as if the weights were read once for the whole prompt; an engine that reads it in chunks
    reads them more often, so that its point is rather too far right.
    """
    mine = [row for row in rows if _key(row) == key and row.avg_ts is not None]
    read = [row.roofline.bytes_per_token for row in mine if row.roofline is not None]
    marks = [_writing_mark(row, min(read)) for row in mine if row.roofline is not None and row.model_n_params]
    for row in mine:
        if row.flops_per_second and read and row.avg_ts:
            intensity = row.flops_per_second / row.avg_ts * row.n_prompt / min(read)
            marks.append(_roof_mark(row, intensity, row.flops_per_second))
    return tuple(mark for mark in marks if mark.x > 0 and mark.y > 0)


def _writing_mark(row: BenchRow, least_read_bytes: float) -> Mark:
    active = (row.model_n_params or 0) * min(1.0, least_read_bytes / max(1, row.model_size))
    operations = OPERATIONS_PER_WEIGHT * active
    read = row.roofline.bytes_per_token if row.roofline is not None else least_read_bytes
    return _roof_mark(row, operations / read, operations * (row.avg_ts or 0.0))


def _roof_mark(row: BenchRow, intensity: float, operations_per_second: float) -> Mark:
    numbers = tr("{speed} at {intensity} FLOP/B").format(
        speed=operations_text(operations_per_second), intensity=number_text(intensity, 1)
    )
    detail = "\n".join(filter(None, (_detail(row), numbers, words.limit_text(row))))
    return Mark(x=intensity, y=operations_per_second, label=row.test, detail=detail)


def _peak(rows: Sequence[BenchRow]) -> float | None:
    """Return the most that the device was measured to compute; None where it was not, or was exceeded."""
    known = [row.compute for row in rows if row.compute is not None and row.compute.share is not None]
    return max((one.peak_flops_per_second for one in known if one.peak_flops_per_second), default=None)


def _roof(marks: Sequence[Mark], bandwidth: float, peak: float | None) -> tuple[Guide, ...]:
    """Return the slope of memory and the flat part of arithmetic: what was measured, else the most that was reached."""
    left, right = min(mark.x for mark in marks) / ROOM, max(mark.x for mark in marks) * ROOM
    # Reading a prompt: beyond the slope's middle, where memory could give more than what was computed.
    reading = [mark.y for mark in marks if mark.label.startswith(READING) and mark.x * bandwidth > mark.y]
    if peak is not None and peak < max(reading, default=0.0):
        peak = None  # Something read faster: the machine was slower when its limit was measured.
    most = peak if peak is not None else max(reading, default=None)
    slope_end = right if most is None else max(left * ROOM, most / bandwidth)
    memory = Guide(
        tr("memory: {bandwidth}").format(bandwidth=bandwidth_text(bandwidth)),
        ((left, left * bandwidth), (slope_end, slope_end * bandwidth)),
    )
    if peak is not None:  # The corner is worth seeing even where no prompt was read.
        right = max(right, slope_end * ROOM)
    if most is None or slope_end >= right:
        return (memory,)
    label = tr("arithmetic: {speed}") if peak is not None else tr("arithmetic: {speed} reached")
    return memory, Guide(label.format(speed=operations_text(most)), ((slope_end, most), (right, most)))


def _quality_mark(row: BenchRow, title: str) -> Mark:
    quality = row.quality
    interval = quality.perplexity_interval if quality is not None else None
    perplexity = quality.perplexity if quality is not None else 0.0
    measured = tr("Perplexity {value}").format(value=number_text(perplexity, 3))
    return Mark(
        x=row.avg_ts or 0.0,
        y=perplexity,
        low=interval.low if interval is not None else None,
        high=interval.high if interval is not None else None,
        label=title,
        detail="\n".join((_detail(row), measured, words.quality_text(row))),
    )
