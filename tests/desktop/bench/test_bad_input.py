"""What cannot be measured, read or written is said, and nothing is lost by it."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QPushButton

from desktop.state.bench_state import BenchOutcome, BenchPhase
from runtime.bench.history import FILE_NAME, RunRecord, open_history
from tests.desktop.bench.opened_benchmark import OpenedBenchmark, opened_benchmark
from tests.desktop.window.opened_window import Home, until
from tests.runtime.bench.examples import row

FILTERS = ("csv", "json", "md", "png")


def show_rows(bench: OpenedBenchmark) -> None:
    """Have the panel show a run that has ended, without measuring."""
    bench.states.bench.phase = BenchPhase.ENDED
    bench.states.bench.outcome = BenchOutcome(rows=(row(40.0, 41.0), row(20.0, 21.0, model_name="other")))
    bench.states.bench.changed.emit()


async def export(bench: OpenedBenchmark, file: Path, suffix: str) -> None:
    """Export as a person does, by the dialog."""
    bench.window.click("benchmarkExportButton")
    dialog = bench.window.find(QFileDialog, "benchmarkExportDialog")
    dialog.selectNameFilter(dialog.nameFilters()[FILTERS.index(suffix)])
    dialog.fileSelected.emit(str(file))
    dialog.close()
    await bench.window.idle("export")


async def test_tests_that_make_no_sense_are_not_begun(home: Home) -> None:
    async with opened_benchmark(home) as bench:
        button = bench.window.find(QPushButton, "benchmarkRunButton")
        bench.tick("demo:int4  ·  Q4_0 · GGUF")
        bench.name_tests("pp512, tg128@d900000")
        assert "tg128@d900000 takes a context of" in bench.text("benchmarkSetupProblem")
        assert not button.isEnabled()
        bench.name_tests("pp512, warp9")
        assert 'There is no test called "warp9"' in bench.text("benchmarkSetupProblem")
        bench.name_tests("")
        assert not button.isEnabled()
        bench.name_tests("tg8")
        assert button.isEnabled()
        bench.tick()
        assert "No model was chosen" in bench.text("benchmarkSetupProblem")
        assert not button.isEnabled()


async def test_results_are_exported_in_every_form(home: Home, tmp_path: Path) -> None:
    async with opened_benchmark(home) as bench:
        show_rows(bench)
        for suffix in FILTERS:
            await export(bench, tmp_path / "results", suffix)
            assert str(tmp_path / f"results.{suffix}") in bench.text("benchmarkNote")
        with (tmp_path / "results.csv").open(newline="", encoding="utf-8") as stream:
            assert [line["test"] for line in csv.DictReader(stream)] == ["tg128", "tg128"]
        assert json.loads((tmp_path / "results.json").read_bytes())[0]["samples_ts"] == pytest.approx([40.0, 41.0])
        assert "| tg128" in (tmp_path / "results.md").read_text(encoding="utf-8")
        picture = QImage(str(tmp_path / "results.png"))
        assert picture.width() == 2 * bench.plot.width()


async def test_an_export_that_cannot_be_written_says_so_and_the_results_stay(home: Home, tmp_path: Path) -> None:
    async with opened_benchmark(home) as bench:
        show_rows(bench)
        (tmp_path / "file").write_bytes(b"in the way")
        for suffix in ("csv", "png"):
            await export(bench, tmp_path / "file" / f"results.{suffix}", suffix)
            assert "cannot be written" in bench.text("benchmarkProblem")
            assert "Choose another folder" in bench.text("benchmarkProblem")
        assert len(bench.results) == 2
        assert (tmp_path / "file").read_bytes() == b"in the way"


async def test_a_damaged_history_is_kept_aside_and_named(home: Home) -> None:
    home.paths.data.mkdir(parents=True)
    file = home.paths.data / FILE_NAME
    file.write_bytes(b"not a database at all" * 1000)
    async with opened_benchmark(home) as bench:
        assert "was damaged" in bench.text("benchmarkNote")
        (kept,) = home.paths.data.glob("*corrupt*.sqlite3")
        assert str(kept) in bench.text("benchmarkNote")
        assert kept.read_bytes() == b"not a database at all" * 1000
        bench.name_tests("tg8")
        await bench.run()
        assert len(bench.states.history.runs) == 1


async def test_a_history_of_a_newer_version_is_left_alone_and_measuring_goes_on(home: Home) -> None:
    file = home.paths.data / FILE_NAME
    with closing(open_history(file).history) as history:
        history.add(RunRecord(started_unix_ms=1, command="first-token bench", cancelled=False, rows=(row(40.0),)))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = file.read_bytes()
    async with opened_benchmark(home) as bench:
        assert "newer version" in bench.text("benchmarkProblem")
        bench.name_tests("tg8")
        await bench.run()
        assert bench.cell(0, "Engine tok/s") != "–"
        await until(lambda: "newer version" in bench.text("benchmarkProblem"), "that it is not kept")
    assert file.read_bytes() == before
