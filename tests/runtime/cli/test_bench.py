"""`first-token bench`: results on stdout, progress on stderr, every bad wish refused in one line, nothing lost."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from runtime.bench.history import FILE_NAME, open_history
from runtime.bench.record import BenchRow, RowStatus
from runtime.store.opening import FILE_NAME as CHATS_FILE
from runtime.store.opening import open_store
from tests.runtime.cli.command import first_token

SMALL = ("bench", "--test", "pp16,tg40", "--repetitions", "2", "--threads", "1")
needs_posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals")


def rows_of(output: str) -> list[BenchRow]:
    return msgspec.json.decode(output, type=list[BenchRow])


@pytest.mark.parametrize("engine", ["llamacpp", "mlx"])
def test_json_holds_a_row_for_each_test_on_each_model(engine: str) -> None:
    models = ("--model", "demo:int4", "demo:int8", "--engine", engine)
    done = first_token(*SMALL, *models, "--output", "json")
    rows = rows_of(done.stdout)

    assert done.returncode == 0, done.stderr
    assert [(row.model.name, row.test) for row in rows] == [
        ("demo:int4", "pp16"), ("demo:int8", "pp16"), ("demo:int4", "tg40"), ("demo:int8", "tg40"),
    ]  # fmt: skip
    for row in rows:
        assert (row.status, row.engine) == (RowStatus.DONE, engine)
        assert row.avg_ts is not None
        assert row.model.sha256
    assert done.stderr.count("demo:int4 pp16") == 1


def test_a_table_goes_to_stdout_with_the_command_that_repeats_it() -> None:
    done = first_token(*SMALL, "--model", "demo:int4", "--engine", "llamacpp")

    assert done.returncode == 0, done.stderr
    assert [line.split("|")[5].strip() for line in done.stdout.splitlines() if line.startswith("| demo")] == [
        "pp16", "tg40",
    ]  # fmt: skip
    assert "repeat with: first-token bench --model demo:int4 --engine llamacpp --test pp16,tg40" in done.stdout


def test_results_compare_with_those_of_an_earlier_file(tmp_path: Path) -> None:
    before = tmp_path / "before.jsonl"
    first = first_token(*SMALL, "--output", "jsonl")
    before.write_text(first.stdout, encoding="utf-8")
    table = first_token(*SMALL, "--compare", str(before))
    spreadsheet = first_token(*SMALL, "--compare", str(before), "--output", "csv")

    assert (first.returncode, table.returncode, spreadsheet.returncode) == (0, 0, 0)
    assert "verdict" in table.stdout
    read = list(csv.DictReader(io.StringIO(spreadsheet.stdout)))
    assert [line["test"] for line in read] == ["pp16", "tg40"]
    assert spreadsheet.stderr.count("tg40 t/s") == 1


def test_results_stay_in_the_history_and_later_ones_compare_with_them(app_home: Path) -> None:
    model = ("--model", "demo:int4")
    alone = first_token(*SMALL, *model, "--compare")
    again = first_token(*SMALL, *model, "--compare")

    assert (alone.returncode, again.returncode) == (0, 0)
    assert "hold none of these tests" in alone.stderr
    assert "verdict" in again.stdout
    with closing(open_history(app_home / "data" / FILE_NAME).history) as history:
        assert [run.tests for run in history.runs()] == [("pp16", "tg40")] * 2
        assert all("first-token bench" in run.command for run in history.runs())


def test_quality_is_next_to_speed_and_in_every_row() -> None:
    arguments = (
        "bench",
        "--test",
        "tg40",
        "--repetitions",
        "1",
        "--threads",
        "1",
        "--quality",
        "--quality-tokens",
        "16",
    )
    table = first_token(*arguments, "--model", "demo:int4", "demo:int8")
    row, *_ = rows_of(first_token(*arguments, "--model", "demo:int4", "--json").stdout)

    assert table.returncode == 0, table.stderr
    assert "demo:int8; 16 tokens of the text essay" in table.stdout
    assert "--quality --quality-tokens 16" in table.stdout
    assert row.quality is not None
    assert row.quality.tokens == 16
    assert row.quality.perplexity > 1


def test_models_are_scored_on_the_users_own_chats(app_home: Path) -> None:
    store = open_store(app_home / "data" / CHATS_FILE).store
    store.messages.add_user(
        store.chats.create().id, None, "How is the prompt read, and what does the cache keep? " * 12
    )
    store.close()
    done = first_token(
        "bench", "--model", "demo:int4", "--test", "tg4", "--repetitions", "1", "--threads", "1",
        "--quality-text", "chats", "--quality-tokens", "16",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "16 tokens of the text your chats" in done.stdout
    assert "--quality-text chats" in done.stdout
    assert "what does the cache keep" not in done.stdout + done.stderr


def test_a_damaged_history_costs_no_results(app_home: Path) -> None:
    file = app_home / "data" / FILE_NAME
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not a database")
    done = first_token(*SMALL, "--model", "demo:int4", "--output", "json")

    assert done.returncode == 0
    assert len(rows_of(done.stdout)) == 2
    assert "history was damaged" in done.stderr
    assert len(list(file.parent.glob("*.corrupt-*"))) == 1


def test_a_history_that_cannot_be_written_costs_no_results(app_home: Path) -> None:
    app_home.mkdir()
    (app_home / "data").write_text("a file where the folder should be", encoding="utf-8")
    done = first_token(*SMALL, "--model", "demo:int4", "--output", "json")

    assert done.returncode == 0
    assert len(rows_of(done.stdout)) == 2
    assert "not in the history" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--depth", "4096"), "pp512@d4096 takes a context of 4,609 tokens"),
        (("--repetitions", "0"), "cannot be repeated 0 times"),
        (("--test", "pp512,nonsense"), 'no test called "nonsense"'),
        (("--test", ""), "0 tests cannot be run"),
        (("--prompt-tokens", "many"), '"many" is no number for --prompt-tokens'),
        (("--prompt-tokens", "0"), "prompt_tokens is 0"),
        (("--depth", "deep"), '"deep" is no depth'),
        (("--concurrency", "100"), "concurrency is 100"),
        (("--chat", "lukewarm"), '"lukewarm" is no state'),
        (("--seed", "-1"), "seed cannot be -1"),
        (("--model", "no-such-model"), "no model called"),
        (("--quality-text", "chats"), "There are no chats to score models on"),
        (("--compare", "absent.json"), "absent.json cannot be read"),
    ],
)
def test_a_bad_wish_is_refused_in_one_line_before_anything_runs(arguments: tuple[str, ...], words: str) -> None:
    done = first_token("bench", *arguments)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_a_preset_says_what_it_leaves_out_and_a_failed_row_is_no_success(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF and nothing else")
    done = first_token(
        "bench", "--preset", "quick", "--depth", "0,4096", "--prompt-tokens", "16", "--generate-tokens", "40",
        "--repetitions", "1", "--model", "demo:int4", str(damaged), "--output", "json", "--engine", "llamacpp",
    )  # fmt: skip
    rows = {(row.model.name, row.test): row for row in rows_of(done.stdout)}

    assert done.returncode == 1
    assert rows["demo:int4", "pp16"].status is RowStatus.DONE
    assert rows["demo:int4", "pp16@d4096"].status is RowStatus.LEFT_OUT
    broken = rows["damaged", "pp16"]
    assert broken.status is RowStatus.FAILED
    assert broken.error is not None
    assert broken.error.code.startswith("model-")


@needs_posix
def test_ctrl_c_keeps_what_has_been_measured(tmp_path: Path) -> None:
    import pty  # noqa: PLC0415 - only where there is one

    reader, terminal = pty.openpty()
    command = [sys.executable, "-m", "desktop", "bench", "--test", "tg40", "--repetitions", "1000", "--output", "json"]
    out = tmp_path / "out.json"
    with out.open("wb") as stdout, subprocess.Popen(command, stdout=stdout, stderr=terminal) as process:
        shown = b""
        while b"[2/1000] measuring demo" not in shown:
            shown += os.read(reader, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    os.close(terminal)
    os.close(reader)
    (row,) = rows_of(out.read_text(encoding="utf-8"))

    assert row.status is RowStatus.CANCELLED
    assert len(row.samples_ns) >= 2
    assert b"left" in shown
