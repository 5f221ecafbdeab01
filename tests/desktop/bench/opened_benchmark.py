"""The benchmark panel in an open window, used as a person uses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit, QListWidget, QMessageBox, QSpinBox, QTabBar

from desktop.bench.benchmark_panel import BenchmarkPanel
from desktop.bench.plot import Plot
from desktop.bench.result_columns import Result
from desktop.bench.result_table import ResultTable
from runtime.engine.scripted_engine import Script
from tests.desktop.window.opened_window import Home, OpenedWindow, until
from tests.runtime.bench.running import FAST

OWN_TESTS = 3
QUESTION = "unloadForBenchmark"
RUN_PATIENCE_S = 100.0
"""Quick takes up to a minute on a busy machine, and a little more until it is kept."""


class OpenedBenchmark:
    """A panel that is on the screen."""

    def __init__(self, window: OpenedWindow) -> None:
        self.window = window
        self.panel = window.find(BenchmarkPanel, "benchmarkPanel")
        self.states = window.states.bench.states
        self.table = window.find(ResultTable, "benchmarkTable")
        self.plot = window.find(Plot, "benchmarkPlot")

    # what is there

    @property
    def results(self) -> tuple[Result, ...]:
        """What the table shows."""
        return self.table.results

    def titles(self) -> list[str]:
        """Return the titles of the columns that can be seen."""
        model = self.table.model()
        shown = (number for number in range(model.columnCount()) if not self.table.isColumnHidden(number))
        return [str(model.headerData(number, Qt.Orientation.Horizontal)) for number in shown]

    def cell(self, row: int, title: str) -> str:
        """Return what the table says in a row under a title."""
        model = self.table.model()
        titles = [model.headerData(number, Qt.Orientation.Horizontal) for number in range(model.columnCount())]
        return str(model.index(row, titles.index(title)).data())

    def tool_tip(self, row: int, title: str) -> str:
        """Return what the pointer finds on a cell."""
        model = self.table.model()
        titles = [model.headerData(number, Qt.Orientation.Horizontal) for number in range(model.columnCount())]
        return str(model.index(row, titles.index(title)).data(Qt.ItemDataRole.ToolTipRole))

    def text(self, name: str) -> str:
        """Return what a label says; nothing where it is hidden."""
        return self.window.text_of(name)

    # what a person does

    def tick(self, *beginnings: str) -> None:
        """Tick the one model that begins with each of these, and no other."""
        listed = self.window.find(QListWidget, "benchmarkModelList")
        items = [listed.item(number) for number in range(listed.count())]
        for beginning in beginnings:
            assert len([item for item in items if item.text().startswith(beginning)]) == 1, beginning
        for item in items:
            is_meant = item.text().startswith(beginnings)
            item.setCheckState(Qt.CheckState.Checked if is_meant else Qt.CheckState.Unchecked)

    def choose_preset(self, place: int) -> None:
        """Click a preset, or tests of one's own."""
        bar = self.window.find(QTabBar, "benchmarkPresetBar")
        QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(place).center())

    def name_tests(self, names: str, repetitions: int = 2) -> None:
        """Choose tests of one's own."""
        self.choose_preset(OWN_TESTS)
        field = self.window.find(QLineEdit, "benchmarkTestsField")
        field.clear()
        QTest.keyClicks(field, names)
        self.window.find(QSpinBox, "benchmarkRepetitionsField").setValue(repetitions)

    def turn_to_plot(self, place: int) -> None:
        """Click the name of a plot."""
        bar = self.window.find(QTabBar, "benchmarkPlotBar")
        QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(place).center())

    def choose_in(self, name: str, place: int) -> None:
        """Choose an entry of a box."""
        box = self.window.find(QComboBox, name)
        box.setCurrentIndex(place)
        box.activated.emit(place)

    async def begin(self, answer: str = "Other") -> None:
        """Press Run, and answer what is asked about the chat's model: "Yes" unloads it, "Other" does not."""
        self.window.click("benchmarkRunButton")
        await until(lambda: self.panel.findChildren(QMessageBox, QUESTION), "question")
        self.window.click(f"{QUESTION}{answer}Button")
        await until(lambda: self.states.bench.is_running or self.text("benchmarkProblem"), "begin of the run")

    async def ended(self) -> None:
        """Wait until the run is over and kept."""
        over = asyncio.Event()
        self.states.bench.ended.connect(lambda _: over.set())
        if self.states.bench.is_running:
            await asyncio.wait_for(over.wait(), RUN_PATIENCE_S)
        await self.window.idle("rest after the run")

    async def run(self, answer: str = "Other") -> None:
        """Measure what is chosen."""
        await self.begin(answer)
        await self.ended()


async def open_benchmark(window: OpenedWindow) -> OpenedBenchmark:
    """Open the panel and wait until it is filled."""
    window.choose("benchmarkAction")
    await window.idle("filled panel")
    return OpenedBenchmark(window)


@asynccontextmanager
async def opened_benchmark(home: Home, script: Script = FAST) -> AsyncIterator[OpenedBenchmark]:
    """Open the window with a scripted model, and the panel over it."""
    home.use_script(script)
    async with home.open() as window:
        yield await open_benchmark(window)
