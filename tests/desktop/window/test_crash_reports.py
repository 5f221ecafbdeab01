"""Crashes of the window, of a model, and errors: each leaves a report on this machine, and it is shown."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QListWidget, QPlainTextEdit

from desktop.after_start import offer_crash_report
from desktop.error_log import recorded_errors
from runtime.config.paths import HOME_VARIABLE
from runtime.crash.folder import KeptReport
from runtime.crash.report import CrashKind
from tests.desktop.controls import controls_of
from tests.desktop.window.opened_window import QUICK, SLOW, Home, OpenedWindow, until

PATIENCE_S = 60
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


def start_app(home: Home) -> subprocess.Popen[bytes]:
    """Start the app as a person does, and wait until its window serves."""
    app = subprocess.Popen(
        [sys.executable, "-m", "desktop"],
        env={**os.environ, HOME_VARIABLE: str(home.folder)},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + PATIENCE_S
    while not (home.database.exists() and psutil.Process(app.pid).children()):
        assert time.monotonic() < deadline, "the app did not start"
        assert app.poll() is None, "the app ended"
        time.sleep(0.05)
    return app


def end_by(app: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """Send a signal; return how the app ended, its worker gone, too."""
    workers = psutil.Process(app.pid).children(recursive=True)
    app.send_signal(number)
    code = app.wait(PATIENCE_S)
    _gone, alive = psutil.wait_procs(workers, timeout=PATIENCE_S)
    assert alive == []
    return code


def kept_in(home: Home) -> list[Path]:
    """Return the files that crashes left."""
    folder = home.paths.logs / "crashes"
    return sorted(folder.iterdir()) if folder.exists() else []


async def reports_of(window: OpenedWindow) -> tuple[KeptReport, ...]:
    """Return the reports there are."""
    crashes = window.states.crashes()
    await crashes.refresh()
    return crashes.reports


async def test_the_next_start_offers_the_report_of_a_window_that_crashed(home: Home) -> None:
    home.use_script(QUICK)
    assert end_by(start_app(home), signal.SIGSEGV) == -signal.SIGSEGV
    async with home.open() as window:
        await offer_crash_report(window.desktop)
        assert "did not end as it should" in window.notice
        window.click("noticeActionButton")
        text = window.find(QPlainTextEdit, "crashText")
        await until(lambda: "Segmentation fault" in text.toPlainText(), "the report")
        assert "First Token 0." in text.toPlainText()
        assert "run_until_complete" in text.toPlainText()
        assert str(home.folder) not in text.toPlainText()
        window.click("copyCrashReportButton")
        assert QGuiApplication.clipboard().text() == text.toPlainText()
        window.click("deleteCrashReportButton")
        await until(lambda: kept_in(home) == [], "no report any more")
        await until(lambda: window.text_of("crashTitle") == "Nothing has crashed", "an empty list")
        await window.idle()
        await offer_crash_report(window.desktop)
        assert window.notice == ""


async def test_a_window_that_was_killed_is_reported_without_a_trace(home: Home) -> None:
    home.use_script(QUICK)
    end_by(start_app(home), signal.SIGKILL)
    async with home.open() as window:
        await offer_crash_report(window.desktop)
        (report,) = await reports_of(window)
        assert report.kind is CrashKind.WINDOW
        assert "without a trace" in report.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
async def test_a_window_that_is_asked_to_end_ends_as_it_should(home: Home, number: signal.Signals) -> None:
    home.use_script(QUICK)
    assert end_by(start_app(home), number) == 0
    assert kept_in(home) == []
    async with home.open() as window:
        await offer_crash_report(window.desktop)
        assert window.notice == ""


async def test_the_death_of_a_worker_leaves_a_report_with_what_it_said(home: Home) -> None:
    async with home.open_scripted(SLOW) as window:
        window.write("Hello")
        window.click("sendButton")
        await window.streaming()
        (worker,) = window.workers()
        worker.send_signal(signal.SIGABRT)
        await until(lambda: kept_in(home), "a report")
        await window.idle()
        (report,) = await reports_of(window)
        assert report.kind is CrashKind.MODEL
        assert f"code {-signal.SIGABRT}" in report.text


async def test_a_worker_that_is_closed_leaves_none(home: Home) -> None:
    async with home.open_scripted() as window:
        await window.ask("Hello")
        window.choose("unloadModelAction")
        await window.idle()
    assert kept_in(home) == []


async def fail(window: OpenedWindow, where: str) -> None:
    """Raise an error that nothing is prepared for."""

    def bug() -> None:
        raise RuntimeError(f"a bug in a {where}")

    async def coroutine() -> None:
        bug()

    match where:
        case "slot":
            QTimer.singleShot(0, bug)
        case "thread":
            thread = threading.Thread(target=bug)
            thread.start()
            thread.join()
        case _:
            window.states.tasks.start(coroutine(), "do something")


@pytest.mark.parametrize("where", ["slot", "thread", "task"])
async def test_an_error_that_nothing_was_prepared_for_is_kept_once_and_shown(home: Home, where: str) -> None:
    async with home.open_scripted() as window:
        await offer_crash_report(window.desktop)
        with recorded_errors(window.desktop.record_error):
            for _ in range(3):
                await fail(window, where)
            await until(lambda: "Something went wrong" in window.notice, "the notice")
            await window.idle()
        (report,) = await reports_of(window)
        assert report.kind is CrashKind.ERROR
        assert f"RuntimeError: a bug in a {where}" in report.text
        window.click("noticeActionButton")
        await until(lambda: window.find(QListWidget, "crashList").count() == 1, "the list")
        await window.idle()


async def test_errors_of_the_users_world_are_no_crashes(home: Home) -> None:
    async with home.open_scripted() as window:
        with recorded_errors(window.desktop.record_error):
            window.choose("exportChatAction")
            await window.states.engine.load("no such model")
            await window.idle()
    assert kept_in(home) == []


async def test_where_nothing_can_be_written_the_window_goes_on(home: Home) -> None:
    async with home.open_scripted() as window:
        home.paths.logs.parent.mkdir(exist_ok=True)
        home.paths.logs.write_text("in the way", encoding="utf-8")
        window.desktop.record_error(RuntimeError("a bug"), "a test")
        await offer_crash_report(window.desktop)
        assert (await window.ask("Hello")).text
        home.paths.logs.unlink()


async def test_the_dialog_names_every_control_and_is_empty_where_nothing_crashed(home: Home) -> None:
    async with home.open_scripted() as window:
        window.choose("crashReportsAction")
        await window.idle()
        assert window.text_of("crashTitle") == "Nothing has crashed"
        controls = controls_of(window.find_control("crashDialog"))
        assert all(control.objectName() and control.accessibleName() and control.toolTip() for control in controls)
        assert not window.find_control("copyCrashReportButton").isEnabled()
