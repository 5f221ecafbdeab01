"""`first-token --self-test [--report FOLDER]`: tries everything, says what it finds, and leaves a report to send.

Exit codes: 0 passed; 1 failed; 2 wrong usage. Nothing of Qt is imported here: the window runs in a process of its own,
so that even a window that cannot open is reported.
"""

from __future__ import annotations

import asyncio
import platform
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

from desktop.self_test.engine_check import check_engine, engines_to_check
from desktop.self_test.files_check import file_problems
from desktop.self_test.report_text import engine_lines, report_lines, verdict_line
from desktop.self_test.result import EngineResult, SelfTestReport, verdict, with_problems
from desktop.self_test.window_process import look_at_window
from runtime.cli.streams import prepare_streams, write_line
from runtime.config.paths import AppPaths, app_paths, process_environment
from runtime.crash.private_data import private_data_here
from runtime.metrics.device import read_device

REPORT_OPTION = "--report"
USAGE = "usage: first-token --self-test [--report FOLDER]"
FOLDER_NAME = "self-test"
JSON_FILE, TEXT_FILE, SCREENSHOT_FILE = "self-test.json", "self-test.txt", "self-test.png"
PASSED, FAILED, WRONG_USAGE = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Run the self-test; return the exit code."""
    prepare_streams()
    environment = process_environment()
    paths = app_paths(environment)
    match arguments:
        case []:
            wanted = paths.logs / FOLDER_NAME
        case [option, name] if option == REPORT_OPTION and name:
            wanted = Path(name).expanduser().absolute()
        case _:
            sys.stderr.write(f"first-token: {USAGE}\n")
            return WRONG_USAGE
    folder = writable_folder(wanted)
    report = examine(paths, environment, folder / SCREENSHOT_FILE)
    write_report(report, folder, paths)
    write_line(f"report: {folder}")
    write_line(verdict_line(report))
    sys.stdout.flush()
    return PASSED if report.passed else FAILED


def writable_folder(wanted: Path) -> Path:
    """Return `wanted`, made if need be; a new temporary folder where that cannot be written to."""
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wanted):
            return wanted
    except OSError as error:
        write_line(f"The report cannot be written to {wanted} ({error.strerror}).")
        return Path(tempfile.mkdtemp(prefix="first-token-self-test-"))


def examine(paths: AppPaths, environment: dict[str, str], screenshot: Path | None) -> SelfTestReport:
    """Try the files, each engine and the window, saying so on the way; takes from a few seconds to a minute."""
    device = read_device()
    engines: list[EngineResult] = []
    for name in engines_to_check(device):
        with asyncio.Runner() as runner:
            engines.append(runner.run(check_engine(name, paths)))
        write_line("\n".join(engine_lines(engines[-1])))
        sys.stdout.flush()
    return verdict(
        SelfTestReport(
            version=version("first-token"),
            python=platform.python_version(),
            packaged=bool(getattr(sys, "frozen", False)),
            device=device,
            file_problems=tuple(file_problems(paths.demo_model)),
            engines=tuple(engines),
            window=look_at_window(environment, screenshot),
        )
    )


def write_report(report: SelfTestReport, folder: Path, paths: AppPaths) -> None:
    """Write the report twice, as JSON and as text, without anything private."""
    public = with_problems(report, private_data_here(paths).removed_from)
    (folder / JSON_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(public)) + b"\n")
    (folder / TEXT_FILE).write_text("\n".join(report_lines(public)) + "\n", encoding="utf-8")
