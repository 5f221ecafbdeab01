"""What every test gets: a home of its own, and a check that it leaves no process and no thread behind.

`--slow` adds the tests marked `slow`, which run last; `-m slow` runs only those.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from hypothesis import HealthCheck, settings

from runtime.config.paths import HOME_VARIABLE

LEAK_GRACE_S = 3.0
Left = TypeVar("Left", threading.Thread, psutil.Process)

# A slow machine is no failing property: examples have no deadline. Continuous integration tries the same examples for
# the same code, so that what it says is about the change; elsewhere each run tries new ones.
settings.register_profile(
    "tests",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",
)
settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--slow`."""
    parser.addoption("--slow", action="store_true", help="run the tests marked slow, too")


def pytest_configure() -> None:
    """Draw windows into memory, unless the environment names a screen."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the slow tests last, and leave them out unless they were asked for."""
    slow = [item for item in items if item.get_closest_marker("slow") is not None]
    quick = [item for item in items if item.get_closest_marker("slow") is None]
    asked_for = config.getoption("--slow") or "slow" in config.getoption("-m")
    items[:] = quick + slow if asked_for else quick
    if slow and not asked_for:
        config.hook.pytest_deselected(items=slow)


@pytest.fixture(scope="session", autouse=True)
def _session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give fixtures that outlive one test a home that is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(autouse=True)
def app_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home that First Token uses in this test; no test reads or writes the user's own."""
    home = tmp_path / "home"
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    return home


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind_by_the_session() -> Iterator[None]:
    """Fail the run whose long-lived fixtures leave a process or a thread behind."""
    yield from _leak_check("the tests")


@pytest.fixture(autouse=True)
def _nothing_left_behind(_nothing_left_behind_by_the_session: None) -> Iterator[None]:
    """Fail the test that leaves a process or a thread behind."""
    yield from _leak_check("the test")


def _leak_check(culprit: str) -> Iterator[None]:
    threads_before = set(threading.enumerate())
    processes_before = set(_child_processes())
    yield
    threads = _wait_until_gone(lambda: [t for t in _lasting_threads() if t not in threads_before])
    processes = _wait_until_gone(lambda: [p for p in _child_processes() if p not in processes_before])
    left_behind = [f"thread {thread.name}" for thread in threads] + [_described(process) for process in processes]
    _end(processes)
    if left_behind:
        pytest.fail(f"{culprit} left behind: {'; '.join(left_behind)}", pytrace=False)


def _end(processes: list[psutil.Process]) -> None:
    """Kill and reap what a test left, so that the tests after it are not blamed for it."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=LEAK_GRACE_S)


def _lasting_threads() -> list[threading.Thread]:
    """Return the threads that keep the interpreter from ending, but for pytest-timeout's own."""
    return [one for one in threading.enumerate() if not one.daemon and not one.name.startswith("pytest_timeout")]


def _child_processes() -> list[psutil.Process]:
    """Return this process's descendants, but for the one that `multiprocessing` keeps for its locks until the end."""
    return [p for p in psutil.Process().children(recursive=True) if "resource_tracker" not in _described(p)]


def _described(process: psutil.Process) -> str:
    """Return what a failure says of a process."""
    try:
        return f"process {process.pid} ({process.status()}): {' '.join(process.cmdline())}"
    except psutil.NoSuchProcess:
        return f"process {process.pid} (ended, never waited for)"


def _wait_until_gone(remaining: Callable[[], list[Left]]) -> list[Left]:
    """Return what is still there after a grace period: threads and processes that are ending may take a moment."""
    deadline = time.monotonic() + LEAK_GRACE_S
    while (left := remaining()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left
