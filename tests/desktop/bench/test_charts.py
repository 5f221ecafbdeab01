"""From rows to plots: what is drawn, what the pointer finds, and why a plot is empty."""

from __future__ import annotations

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from desktop.bench.chart import BarChart, Chart, NoChart, PointChart
from desktop.bench.charts import depth_chart, quality_chart, roofline_chart, speed_chart
from desktop.bench.plot import Plot
from desktop.bench.words import share_text
from desktop.theme.colors import DARK, HIGH_CONTRAST, LIGHT, Colors
from runtime.bench.quality import QualityFigures
from runtime.bench.record import BenchRow, RowCompute, RowRoofline
from runtime.bench.statistics import Interval
from runtime.bench.workload import Decode, Prefill
from runtime.metrics.roofline import Bound
from tests.desktop.looks import make_theme
from tests.runtime.bench.examples import MODEL, row

BANDWIDTH = 1e9


def writing(rate: float, depth: int = 0, **changes: object) -> BenchRow:
    """Return a test of writing with its roofline."""
    read = MODEL.weights_bytes + 1000.0 * depth
    roofline = RowRoofline(
        bound=Bound.MEMORY,
        bandwidth_bytes_per_second=BANDWIDTH,
        bytes_per_token=read,
        ceiling_ts=BANDWIDTH / read,
        share=rate * read / BANDWIDTH,
    )
    measured = row(rate, rate * 1.01, workload=Decode(128, depth))
    return msgspec.structs.replace(measured, roofline=roofline, **changes)


def reading(rate: float) -> BenchRow:
    """Return a test of reading with its arithmetic."""
    made = row(rate, rate * 1.01, workload=Prefill(512))
    return msgspec.structs.replace(made, flops_per_second=2 * 7_000_000 * rate)


def of_model(one: BenchRow, name: str) -> BenchRow:
    """Return a row of another model."""
    return msgspec.structs.replace(
        one, model=msgspec.structs.replace(one.model, name=name), model_filename=f"{name}.gguf"
    )


def scored(one: BenchRow, perplexity: float) -> BenchRow:
    """Return a row whose model was scored."""
    figures = QualityFigures(
        text="essay",
        text_sha256="",
        tokens=512,
        perplexity=perplexity,
        perplexity_interval=Interval(perplexity - 1, perplexity + 1),
        bits_per_byte=None,
    )
    return msgspec.structs.replace(one, quality=figures)


def shown(chart: Chart) -> PointChart:
    """Return a chart of points."""
    assert isinstance(chart, PointChart)
    return chart


def test_bars_stand_test_by_test_with_their_intervals() -> None:
    rows = [reading(800), of_model(reading(700), "other"), writing(40), of_model(writing(20), "other")]
    chart = speed_chart(rows)
    assert isinstance(chart, BarChart)
    assert chart.series == ("tiny · INT4", "other · INT4")
    assert [group.title for group in chart.groups] == ["pp512", "tg128"]
    first, second = chart.groups[1].bars
    assert (first.series, second.series) == (0, 1)
    assert first.low is not None
    assert first.high is not None
    assert first.low < first.value < first.high
    assert "Samples: 40.0, 40.4 tok/s." in first.detail


def test_a_test_without_figures_has_no_bar() -> None:
    assert isinstance(speed_chart([row()]), NoChart)
    chart = speed_chart([row(), writing(40)])
    assert isinstance(chart, BarChart)
    assert [len(group.bars) for group in chart.groups] == [1]


def test_depth_takes_two_depths_and_says_so() -> None:
    chart = depth_chart([writing(40), reading(800)])
    assert isinstance(chart, NoChart)
    assert "two depths" in chart.reason
    points = shown(depth_chart([writing(40), writing(30, 4096), writing(20, 16384)])).series[0]
    assert [(mark.x, round(mark.y)) for mark in points.marks] == [(0, 40), (4096, 30), (16384, 20)]
    assert points.joined


def test_writing_lies_under_the_slope_and_reading_under_the_flat_part() -> None:
    chart = shown(roofline_chart([writing(40), reading(800)]))
    slope, flat = chart.guides
    wrote, read = chart.series[0].marks
    assert wrote.y < wrote.x * BANDWIDTH
    assert wrote.y / (wrote.x * BANDWIDTH) == pytest.approx(40.2 * MODEL.weights_bytes / BANDWIDTH)
    assert all(y == pytest.approx(x * BANDWIDTH) for x, y in slope.points)
    assert {y for _, y in flat.points} == {read.y}
    assert read.x == pytest.approx(2 * 7_000_000 * 512 / MODEL.weights_bytes, rel=0.01)
    assert "1.0 GB/s" in slope.name


def test_the_flat_part_is_what_the_device_was_measured_to_compute() -> None:
    made = reading(800)
    flops = made.flops_per_second
    assert flops is not None
    computed = RowCompute(flops_per_second=flops, peak_flops_per_second=4 * flops, share=0.25)
    chart = shown(roofline_chart([writing(40), msgspec.structs.replace(made, compute=computed)]))
    flat = chart.guides[1]
    assert {y for _, y in flat.points} == {4 * flops}
    assert "reached" not in flat.name
    assert "of the" in chart.series[0].marks[1].detail
    assert share_text(msgspec.structs.replace(made, compute=computed)) == "25 %"
    exceeded = msgspec.structs.replace(computed, peak_flops_per_second=flops / 2, share=None)
    chart = shown(roofline_chart([writing(40), msgspec.structs.replace(made, compute=exceeded)]))
    assert "reached" in chart.guides[1].name
    assert "slower when it was measured" in chart.series[0].marks[1].detail
    assert share_text(msgspec.structs.replace(made, compute=exceeded)) == "–"
    # A roof that one prompt keeps under and another breaks through is none.
    fast = msgspec.structs.replace(reading(80_000), compute=exceeded)
    kept_under = [writing(40), msgspec.structs.replace(made, compute=computed)]
    both = [*kept_under, of_model(writing(20), "other"), of_model(fast, "other")]
    assert "reached" in shown(roofline_chart(both)).guides[1].name


def test_without_reading_the_roof_has_no_flat_part() -> None:
    assert len(shown(roofline_chart([writing(40), writing(30, 4096)])).guides) == 1


def test_a_roofline_without_bandwidth_says_why_it_is_empty() -> None:
    chart = roofline_chart([row(40.0), reading(800)])
    assert isinstance(chart, NoChart)
    assert "memory bandwidth" in chart.reason


def test_quality_stands_against_the_speed_of_writing() -> None:
    rows = [scored(writing(40), 8.0), scored(of_model(writing(20), "other"), 7.5), scored(writing(30, 4096), 8.0)]
    chart = shown(quality_chart(rows))
    assert [[round(mark.x) for mark in one.marks] for one in chart.series] == [[40], [20]]
    assert [one.marks[0].y for one in chart.series] == [8.0, 7.5]
    for nothing, reason in ((writing(40), "not measured"), (scored(reading(800), 8.0), "tg128")):
        empty = quality_chart([nothing])
        assert isinstance(empty, NoChart)
        assert reason in empty.reason


@pytest.mark.parametrize("colors", [LIGHT, DARK, HIGH_CONTRAST])
@pytest.mark.parametrize("width", [140, 700])
def test_every_plot_is_painted_and_answers_the_pointer(qtbot: QtBot, colors: Colors, width: int) -> None:
    rows = [
        *(reading(800), scored(writing(40), 8.0), writing(30, 4096)),
        *(scored(of_model(writing(20), "a name that is far too long for its place " * 3), 7.0), row()),
    ]
    plot = Plot(make_theme(colors))
    qtbot.addWidget(plot)
    for chart in (speed_chart(rows), depth_chart(rows), roofline_chart(rows), quality_chart(rows), speed_chart([])):
        plot.show_chart(chart)
        plot.resize(width, max(400, plot.minimumHeight()))
        image = plot.grab().toImage()
        painted = {image.pixel(x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)}
        assert len(painted) > 3
        assert plot.accessibleDescription()
        places = ((x, y) for x in range(0, width, 4) for y in range(0, plot.height(), 4))
        found = {plot.detail_at(x, y) for x, y in places} - {""}
        assert bool(found) is not isinstance(chart, NoChart)


def test_the_picture_is_twice_as_sharp(qtbot: QtBot) -> None:
    plot = Plot(make_theme())
    qtbot.addWidget(plot)
    plot.show_chart(speed_chart([writing(40)]))
    plot.resize(500, 300)
    assert (plot.image().width(), plot.image().height()) == (1000, 600)
