"""The trace of a process: gone where it ended well, and otherwise what the next start finds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from runtime.crash.trace_file import FOLDER_NAME, DeadProcess, take_dead_processes

ENDS = """
import os, signal, sys, time
from pathlib import Path
from runtime.crash.trace_file import TraceFile

def deep(how):
    exec(how)

with TraceFile(Path(sys.argv[1])):
    print("begun", flush=True)
    deep(sys.argv[2])
"""


def begin(logs: Path, how: str) -> subprocess.Popen[str]:
    """Start a process that ends in that way."""
    process = subprocess.Popen(
        [sys.executable, "-c", ENDS, str(logs), how], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.stdout.close()
    return process


def left_by(logs: Path, how: str) -> list[DeadProcess]:
    """Return what the next start finds of a process that has ended in that way."""
    begin(logs, how).wait(timeout=60)
    return list(take_dead_processes(logs))


@pytest.mark.parametrize("how", ["pass", "sys.exit(3)", "raise KeyboardInterrupt"])
def test_a_process_that_ends_well_leaves_nothing(tmp_path: Path, how: str) -> None:
    assert left_by(tmp_path, how) == []
    assert list((tmp_path / FOLDER_NAME).iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("number", "said"), [("SIGSEGV", "Segmentation fault"), ("SIGABRT", "Aborted"), ("SIGBUS", "Bus error")]
)
def test_a_crash_leaves_its_stacks(tmp_path: Path, number: str, said: str) -> None:
    (dead,) = left_by(tmp_path, f"os.kill(os.getpid(), signal.{number})")
    assert said in dead.stacks
    assert "in deep" in dead.stacks
    assert dead.outlived_by_system
    assert list(take_dead_processes(tmp_path)) == []


def test_an_error_that_ends_the_process_leaves_its_traceback(tmp_path: Path) -> None:
    (dead,) = left_by(tmp_path, "raise ValueError('a bug')")
    assert dead.stacks.endswith("ValueError: a bug")


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_process_that_is_killed_leaves_an_empty_trace(tmp_path: Path) -> None:
    (dead,) = left_by(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")
    assert dead.stacks == ""
    assert abs(dead.began_s - time.time()) < 60


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_process_that_runs_has_not_died(tmp_path: Path) -> None:
    process = begin(tmp_path, "time.sleep(100)")
    assert list(take_dead_processes(tmp_path)) == []
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(list(take_dead_processes(tmp_path))) == 1


def test_the_number_of_a_dead_process_may_be_anothers_by_now(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER_NAME
    folder.mkdir()
    long_ago = int(psutil.boot_time()) - 1000
    (folder / f"running-{os.getpid()}-{long_ago}.trace").write_text("stacks", encoding="utf-8")
    (dead,) = take_dead_processes(tmp_path)
    assert dead.stacks == "stacks"
    assert not dead.outlived_by_system  # switched off since


def test_a_folder_that_cannot_be_written_to_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    assert left_by(tmp_path / "file", "pass") == []


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER_NAME
    folder.mkdir()
    (folder / "running-1.trace").write_text("mine", encoding="utf-8")
    assert list(take_dead_processes(tmp_path)) == []
    assert (folder / "running-1.trace").exists()
