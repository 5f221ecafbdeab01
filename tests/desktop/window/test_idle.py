"""When nothing happens, nothing runs: the window's event loop is not woken.

In a process of its own: what the tests before this one left in theirs may wake it.
"""

from __future__ import annotations

import pytest

from tests.desktop.window.opened_window import QUICK, Home
from tests.desktop.window.window_process import QUIET, start

PATIENCE_S = 60


def said_by_an_idle_window(home: Home) -> str:
    process = start(home, "idle")
    output, _ = process.communicate(timeout=PATIENCE_S)
    return output.strip() or f"ended with {process.returncode}"


def test_an_idle_window_is_never_woken(home: Home) -> None:
    home.use_script(QUICK)
    assert said_by_an_idle_window(home) == QUIET


@pytest.mark.slow
def test_a_window_without_a_model_is_never_woken(home: Home) -> None:
    home.use_script(QUICK).unlink()
    assert said_by_an_idle_window(home) == QUIET
