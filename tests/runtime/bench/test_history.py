"""The history of runs: what was measured is there again, and no damaged, foreign or newer file costs anything."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runtime.bench.comparison import compare
from runtime.bench.history import FILE_NAME, History, RunRecord, open_history
from runtime.bench.record import RowStatus
from runtime.bench.workload import Prefill
from runtime.values.errors import StoreError
from tests.runtime.bench.examples import LOST, row

ROWS = (row(100.0, 101.0), row(1000.0, 1001.0, workload=Prefill(512)), row(status=RowStatus.FAILED, error=LOST))
RUN = RunRecord(started_unix_ms=1_700_000_000_000, command="first-token bench", cancelled=False, rows=ROWS)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / FILE_NAME


@pytest.fixture
def history(file: Path) -> Iterator[History]:
    with closing(opened(file)) as open_one:
        yield open_one


def opened(file: Path) -> History:
    found = open_history(file)
    assert found.damage is None
    return found.history


def filled(file: Path, runs: int) -> None:
    with closing(opened(file)) as history:
        for number in range(runs):
            history.add(RunRecord(started_unix_ms=number, command="c", cancelled=False, rows=ROWS))


def test_a_run_is_there_again_whole(file: Path, history: History) -> None:
    run_id = history.add(RUN)
    with closing(opened(file)) as again:
        (summary,) = again.runs()

        assert (summary.id, summary.started_unix_ms, summary.command) == (run_id, RUN.started_unix_ms, RUN.command)
        assert (summary.models, summary.tests, summary.cancelled) == (("tiny",), ("tg128", "pp512"), False)
        assert again.rows(run_id) == ROWS


def test_the_latest_run_comes_first_and_a_deleted_one_is_gone(history: History) -> None:
    first, second = history.add(RUN), history.add(RUN)

    assert [run.id for run in history.runs()] == [second, first]
    history.delete(second)
    assert [run.id for run in history.runs()] == [first]
    assert history.rows(second) == ()


def test_new_results_compare_with_the_latest_earlier_ones(history: History) -> None:
    history.add(RUN)
    history.add(RunRecord(started_unix_ms=1, command="c", cancelled=False, rows=(row(200.0, 202.0, 198.0),)))

    (comparison,) = compare([row(100.0, 101.0, 99.0)], history.earlier_rows())
    assert comparison.earlier == pytest.approx(200)


def test_rows_of_another_version_do_not_hide_the_others(file: Path, history: History) -> None:
    run_id = history.add(RUN)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE run_rows SET content = '{\"test\": 1}' WHERE place = 1")

    assert history.rows(run_id) == (ROWS[0], ROWS[2])
    assert len(history.earlier_rows()) == 2


def test_an_empty_file_becomes_a_history(file: Path) -> None:
    file.parent.mkdir()
    file.touch()
    filled(file, 1)


@pytest.mark.parametrize("content", [b"not a database at all, but a letter", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_kept_aside(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    found = open_history(file)
    with closing(found.history):
        assert found.damage is not None
        assert Path(found.damage.kept_aside).read_bytes() == content
        found.history.add(RUN)
        assert len(found.history.runs()) == 1


def test_a_database_of_another_program_is_kept_aside(file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    found = open_history(file)
    with closing(found.history):
        assert found.damage is not None
        assert "not a benchmark history" in found.damage.reason
        assert found.damage.salvaged_runs == 0


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_overwritten_the_history_opens_and_the_damaged_file_stays(file: Path, seed: int) -> None:
    filled(file, 12)
    content = bytearray(file.read_bytes())
    draw = random.Random(seed)
    for _ in range(3):
        place = draw.randrange(100, len(content) - 600)
        content[place : place + 500] = draw.randbytes(500)
    file.write_bytes(content)
    found = open_history(file)
    with closing(found.history):
        kept = [run for run in found.history.runs() if len(found.history.rows(run.id)) == len(ROWS)]
        assert found.history.add(RUN) > 0
        if found.damage is not None:
            assert Path(found.damage.kept_aside).read_bytes() == bytes(content)
            assert found.damage.salvaged_runs == len(kept)


def test_a_damaged_history_gives_back_the_runs_that_can_be_read(file: Path) -> None:
    filled(file, 30)
    content = bytearray(file.read_bytes())
    place = len(content) * 2 // 3
    content[place : place + 4096] = bytes(4096)
    file.write_bytes(content)
    found = open_history(file)
    with closing(found.history):
        assert found.damage is not None
        assert 0 < found.damage.salvaged_runs < 30


def test_a_history_of_a_newer_version_is_refused_and_not_touched(file: Path) -> None:
    filled(file, 1)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    before = file.read_bytes()

    with pytest.raises(StoreError, match="newer version"):
        open_history(file)
    assert file.read_bytes() == before


def test_a_history_that_cannot_be_made_is_a_clear_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(StoreError, match="cannot be opened"):
        open_history(tmp_path / "file" / FILE_NAME)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions that bind this user")
def test_a_history_that_cannot_be_written_is_a_clear_message(file: Path) -> None:
    filled(file, 1)
    file.chmod(0o400)
    file.parent.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="cannot be"), closing(open_history(file).history) as history:
            history.add(RUN)
    finally:
        file.parent.chmod(0o700)


def test_a_locked_history_is_a_clear_message(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.bench.history.BUSY_TIMEOUT_S", 0.05)
    with closing(opened(file)) as waiting, closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked"):
            waiting.add(RUN)
