"""A run from choosing to the last row: what it shows on its way, how it ends, and what it leaves."""

from __future__ import annotations

from contextlib import closing

import msgspec
import psutil
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QLineEdit, QPushButton

from desktop.state.engine_state import NoModel, Serving
from runtime.bench.history import FILE_NAME, RunRecord, open_history
from runtime.bench.record import RowStatus
from runtime.bench.workload import Decode
from runtime.values.model import EngineName
from tests.desktop.bench.opened_benchmark import OpenedBenchmark, open_benchmark, opened_benchmark
from tests.desktop.window.opened_window import Home, until
from tests.runtime.bench.examples import row
from tests.runtime.bench.running import FAST

SLOW = msgspec.structs.replace(FAST, decode_tokens_per_second=50.0)


async def test_a_run_shows_its_rows_and_is_kept(home: Home) -> None:
    async with opened_benchmark(home) as bench:
        bench.name_tests("pp64, tg32, chat16@warm")
        assert bench.text("benchmarkExpectation") == "How long it takes is known once the first test is done."
        await bench.run()
        assert bench.text("benchmarkExpectation").startswith("Takes about ")
        assert [one.row.test for one in bench.results] == ["pp64", "tg32", "chat16@warm"]
        assert {one.row.status for one in bench.results} == {RowStatus.DONE}
        assert "±" in bench.cell(0, "Engine tok/s")
        assert bench.cell(2, "Engine tok/s") == ""
        assert bench.cell(2, "Chat tok/s") != ""
        assert bench.cell(2, "TTFT").endswith("ms")
        assert "Perplexity" not in bench.titles()
        assert "Samples: " in bench.tool_tip(1, "Engine tok/s")
        assert "95 % interval" in bench.tool_tip(1, "Engine tok/s")
        command = bench.window.find(QLineEdit, "benchmarkCommandField").text()
        assert command.startswith("first-token bench --model")
        assert "--test pp64,tg32,chat16@warm --repetitions 2" in command
        bench.window.click("benchmarkCommandCopyButton")
        assert QGuiApplication.clipboard().text() == command
        bench.window.click("benchmarkCopyButton")
        assert QGuiApplication.clipboard().text().startswith("| model")
        assert bench.text("benchmarkNote") == "Copied as Markdown."
    with closing(open_history(home.paths.data / FILE_NAME).history) as history:
        (run,) = history.runs()
        assert (run.command, run.tests) == (command, ("pp64", "tg32", "chat16@warm"))


async def test_the_chat_answers_meanwhile_and_cancelling_keeps_what_is_done(home: Home) -> None:
    async with opened_benchmark(home, SLOW) as bench:
        bench.name_tests("tg8, tg40", repetitions=400)
        await bench.begin()
        await until(lambda: len(bench.states.bench.outcome.rows) == 2, "rows of both tests")
        assert " of 400 so far" in bench.results[0].notes
        await until(lambda: "left" in bench.text("benchmarkProgress"), "how long it will take")
        window = bench.window
        window.write("Are you there?")
        window.press(Qt.Key.Key_Return)
        await window.streaming()
        assert bench.states.bench.is_running
        window.click("stopButton")
        assert not bench.window.find(QPushButton, "benchmarkRunButton").isVisible()
        bench.window.click("benchmarkCancelButton")
        await bench.ended()
        assert {one.row.status for one in bench.results} == {RowStatus.CANCELLED}
        assert all(one.row.samples_ns for one in bench.results)
        assert bench.results[0].notes.startswith("cancelled after ")
        assert bench.window.find(QPushButton, "benchmarkRunButton").isVisible()
    with closing(open_history(home.paths.data / FILE_NAME).history) as history:
        assert [run.cancelled for run in history.runs()] == [True]


async def test_closing_the_window_keeps_what_is_done(home: Home) -> None:
    async with opened_benchmark(home, SLOW) as bench:
        bench.name_tests("tg8", repetitions=400)
        await bench.begin()
        await until(lambda: bench.results, "a first figure")
    with closing(open_history(home.paths.data / FILE_NAME).history) as history:
        (run,) = history.runs()
        assert run.cancelled
        assert history.rows(run.id)[0].samples_ns


async def test_the_chats_model_makes_room_and_comes_back(home: Home) -> None:
    async with opened_benchmark(home, SLOW) as bench:
        bench.name_tests("tg8", repetitions=3)
        await bench.begin("Yes")
        await until(lambda: bench.results, "a first figure")
        assert isinstance(bench.window.status, NoModel)
        await bench.ended()
        await until(lambda: isinstance(bench.window.status, Serving), "the chat's model again")


async def test_a_reply_under_way_is_not_cut_off(home: Home) -> None:
    async with opened_benchmark(home, SLOW) as bench:
        window = bench.window
        window.write("Tell me all")
        window.press(Qt.Key.Key_Return)
        await window.streaming()
        bench.name_tests("tg8")
        window.click("benchmarkRunButton")
        assert "A reply is being written" in bench.text("benchmarkProblem")
        assert not bench.states.bench.is_running
        window.click("stopButton")
        await until(lambda: not window.states.chat.busy, "end of the reply")


async def test_a_worker_that_dies_fails_its_row_and_the_run_goes_on(home: Home) -> None:
    async with opened_benchmark(home, SLOW) as bench:
        chat = {process.pid for process in bench.window.workers()}
        bench.name_tests("tg8, tg150, tg9", repetitions=1)
        await bench.begin()
        bench_state = bench.states.bench

        def is_long_one_running() -> bool:
            progress = bench_state.progress
            return progress is not None and (progress.test, progress.activity) == ("tg150", "measuring")

        await until(is_long_one_running, "the long test")
        (worker,) = (process for process in bench.window.workers() if process.pid not in chat)
        psutil.Process(worker.pid).kill()
        await bench.ended()
        assert [one.row.status for one in bench.results] == [RowStatus.DONE, RowStatus.FAILED, RowStatus.DONE]
        assert bench.cell(1, "Notes").startswith("failed: ")
        assert bench.cell(1, "Engine tok/s") == "–"


async def test_the_next_run_is_compared_with_the_one_before(home: Home) -> None:
    async with opened_benchmark(home) as bench:
        bench.name_tests("tg16", repetitions=2)
        await bench.run()
        assert "Change" not in bench.titles()
        bench.name_tests("tg16", repetitions=3)
        await bench.run()
        assert "Change" in bench.titles()
        assert bench.cell(0, "Change").endswith(" %")
        assert "then" in bench.tool_tip(0, "Change")
        bench.choose_in("benchmarkCompareBox", 1)
        await until(lambda: "Change" not in bench.titles(), "no comparison")
    async with home.open() as window:
        again = await open_benchmark(window)
        assert [len(one.row.samples_ns) for one in again.results] == [3]
        assert again.window.find(QComboBox, "benchmarkHistoryBox").count() == 2
        again.choose_in("benchmarkHistoryBox", 1)
        await until(lambda: [len(one.row.samples_ns) for one in again.results] == [2], "the first run")
        assert "--repetitions 2" in again.window.find(QLineEdit, "benchmarkCommandField").text()


async def test_a_slower_run_is_marked(home: Home) -> None:
    fast = msgspec.structs.replace(row(1e6, 1.001e6, 1.002e6, workload=Decode(40)), engine=EngineName.SCRIPTED)
    before = msgspec.structs.replace(fast, model=msgspec.structs.replace(fast.model, name="scripted", sha256=""))
    with closing(open_history(home.paths.data / FILE_NAME).history) as history:
        history.add(RunRecord(started_unix_ms=1, command="first-token bench", cancelled=False, rows=(before,)))
    async with opened_benchmark(home) as bench:
        assert bench.results[0].row.avg_ts == before.avg_ts  # The latest run is there to look at.
        bench.name_tests("tg40", repetitions=3)
        await bench.run()
        assert_regression(bench)


def assert_regression(bench: OpenedBenchmark) -> None:
    """Check that the first row says that it became worse, in the colour of what is bad."""
    assert bench.results[0].is_regression
    assert bench.cell(0, "Change").startswith("−")
    model = bench.table.model()
    places = {model.headerData(number, Qt.Orientation.Horizontal): number for number in range(model.columnCount())}
    ink = model.index(0, places["Change"]).data(Qt.ItemDataRole.ForegroundRole)
    assert ink.name() == bench.window.widget.theme.colors.bad
