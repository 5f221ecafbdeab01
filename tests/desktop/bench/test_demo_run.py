"""From the menu to the plots with the real demo model: Quick, as it comes."""

from __future__ import annotations

from PySide6.QtWidgets import QPushButton

from desktop.bench.chart import BarChart, NoChart
from runtime.bench.record import RowStatus
from tests.desktop.bench.opened_benchmark import opened_benchmark
from tests.desktop.window.opened_window import Home


async def test_quick_measures_the_demo_model(home: Home) -> None:
    async with opened_benchmark(home) as bench:
        bench.tick("demo:int4  ·  Q4_0 · GGUF")
        assert bench.window.find(QPushButton, "benchmarkRunButton").isEnabled()
        await bench.run("Yes")
        rows = [one.row for one in bench.results]
        assert [row.test for row in rows] == ["pp512", "tg128", "chat128@warm", "chat128@cached"]
        assert {row.model.name for row in rows} == {"demo:int4"}
        assert [(row.status, row.error) for row in rows] == [(RowStatus.DONE, None)] * 4
        assert all(row.samples_ts for row in rows[:2])
        chart = bench.plot.chart
        assert isinstance(chart, BarChart)
        assert [group.title for group in chart.groups[:2]] == ["pp512", "tg128"]
        bench.plot.grab()
        bench.turn_to_plot(1)
        assert isinstance(bench.plot.chart, NoChart)
        assert "two depths" in bench.plot.chart.reason
