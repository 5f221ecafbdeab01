"""Reports: every format holds every row, hostile names stay text, and what cannot be written is said."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.bench.comparison import compare, earlier_of
from runtime.bench.record import BenchRow, RowStatus
from runtime.bench.report import OutputFormat, markdown, rendered, write_report
from runtime.bench.workload import CacheState, ChatReply, Prefill, Serving
from runtime.values.errors import OutputError
from tests.runtime.bench.examples import LOST, row

ROWS = (
    row(100.0, 102.0, 98.0),
    row(1000.0, workload=Prefill(512, 4096)),
    row(30.0, 31.0, workload=ChatReply(32, CacheState.CACHED), ttft_ms=(41.0,)),
    row(50.0, 51.0, workload=Serving(64, 32, 4), ttft_ms=(100.0, 200.0)),
    row(status=RowStatus.FAILED, error=LOST, model_name="broken"),
)


def test_a_table_has_a_line_for_each_row_and_shows_spread_failure_and_machine() -> None:
    text = markdown(ROWS)
    lines = text.splitlines()

    assert [line.split("|")[5].strip() for line in lines[2:7]] == [one.test for one in ROWS]
    assert "100.00 ± 2.00" in lines[2]
    assert "95.03 to 104.97" in lines[2]
    assert "±" not in lines[3]
    assert "41 ms" in lines[4]
    assert "p50 150 ms, p95 " in lines[5]
    assert "requests/s" in lines[5]
    assert "failed: The worker ended unexpectedly." in lines[6]
    for word in ("Example 1", "Example OS 2", "llama.cpp b1", "seed 42", "nothing cached"):
        assert word in text
    assert text.endswith("\n")


def test_the_table_lines_up_in_plain_text() -> None:
    table = [line for line in markdown(ROWS).splitlines() if line.startswith("|")]

    assert len({len(line) for line in table}) == 1


def test_regressions_stand_out() -> None:
    slow = row(80.0, 82.0, 78.0)
    text = markdown([slow], compare([slow], earlier_of([ROWS[0]])))

    assert "REGRESSION" in text
    assert "-20.0%" in text


def test_json_and_json_lines_hold_the_rows_whole() -> None:
    whole = msgspec.json.decode(rendered(ROWS, OutputFormat.JSON), type=tuple[BenchRow, ...])
    lines = rendered(ROWS, OutputFormat.JSON_LINES).splitlines()

    assert whole == ROWS
    assert tuple(msgspec.json.decode(line, type=BenchRow) for line in lines) == ROWS


def test_json_is_what_a_script_for_llama_bench_reads() -> None:
    first, *_ = json.loads(rendered(ROWS, OutputFormat.JSON))

    assert first["avg_ts"] == pytest.approx(100)
    assert len(first["samples_ts"]) == len(first["samples_ns"]) == 3


def test_csv_has_a_column_for_every_figure_and_names_nested_ones() -> None:
    read = list(csv.DictReader(io.StringIO(rendered(ROWS, OutputFormat.CSV))))

    assert [line["test"] for line in read] == [one.test for one in ROWS]
    assert read[0]["environment.chip"] == "Example 1"
    assert json.loads(read[0]["samples_ts"]) == pytest.approx(list(ROWS[0].samples_ts))
    assert read[4]["avg_ts"] == ""
    assert read[4]["error.code"] == "worker-lost"


@given(st.text(max_size=40))
def test_no_name_breaks_a_format_out_of_its_row(name: str) -> None:
    made = row(10.0, 11.0, model_name=name.encode("utf-8", "replace").decode())
    table = [line for line in markdown([made]).splitlines() if line.startswith("|")]
    (line,) = csv.DictReader(io.StringIO(rendered([made], OutputFormat.CSV), newline=""))

    assert len(table) == 3
    assert table[2].replace("\\\\", "").replace("\\|", "").count("|") == table[0].count("|")
    assert line["model.name"].removeprefix("'") == made.model.name.removeprefix("'")


@pytest.mark.parametrize("name", ["=1+1", "+A1", "-A1", "@sum", "\t=1"])
def test_a_spreadsheet_does_not_run_a_name(name: str) -> None:
    (line,) = csv.DictReader(io.StringIO(rendered([row(10.0, model_name=name)], OutputFormat.CSV), newline=""))

    assert line["model.name"] == f"'{name}"


def test_a_report_is_written_whole(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "results.md"
    write_report(file, markdown(ROWS))

    assert file.read_text(encoding="utf-8") == markdown(ROWS)


@pytest.mark.skipif(os.name != "posix", reason="a device that is always full")
def test_an_unwritable_place_is_a_clear_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for place in (tmp_path / "file" / "results.md", Path("/dev/null/results.md"), tmp_path):
        with pytest.raises(OutputError, match="cannot be written") as refused:
            write_report(place, "text")
        assert "Nothing is lost" in refused.value.next_step
