"""The checks that every test gets are tests' own foundation: they are proved on tests that misbehave."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[1]
MISBEHAVING_TESTS = """
    import os, subprocess, threading
    import pytest
    import tests.conftest

    tests.conftest.LEAK_GRACE_S = 0.5
    kept = []
    never = threading.Event()

    def test_tidy():
        subprocess.run(["sleep", "0"], check=True)
        thread = threading.Thread(target=never.wait, args=(0.1,))
        thread.start()

    def test_home(app_home):
        assert os.environ["FIRST_TOKEN_HOME"] == str(app_home)

    def test_process():
        kept.append(subprocess.Popen(["sleep", "600"]))

    def test_unreaped_process():
        kept.append(subprocess.Popen(["sleep", "0"]))

    def test_thread():
        threading.Thread(target=never.wait, args=(2,), name="forgotten").start()

    @pytest.fixture(scope="module")
    def long_lived():
        kept.append(subprocess.Popen(["sleep", "601"]))

    def test_fixture(long_lived):
        pass

    @pytest.mark.slow
    def test_takes_long():
        pass
"""


@pytest.fixture
def misbehaving(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a folder with tests that leave things behind, to be run with the project's conftest."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini("[pytest]\nmarkers = slow: slow\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(MISBEHAVING_TESTS)
    return pytester


def test_what_a_test_leaves_behind_fails_it(misbehaving: pytest.Pytester) -> None:
    result = misbehaving.runpytest_subprocess("-p", "tests.conftest")
    result.assert_outcomes(passed=6, errors=4, deselected=1)
    result.stdout.fnmatch_lines_random(
        [
            "the test left behind: process * (*): sleep 600",
            "the test left behind: process * (ended, never waited for)",
            "the test left behind: thread forgotten",
            "the tests left behind: *process * (*): sleep 601",
        ]
    )


@pytest.mark.parametrize("option", ["--slow", "-mslow"])
def test_slow_tests_run_when_asked_for(misbehaving: pytest.Pytester, option: str) -> None:
    result = misbehaving.runpytest_subprocess("-p", "tests.conftest", option, "-k", "test_takes_long or test_home")
    result.assert_outcomes(passed=2 if option == "--slow" else 1, deselected=5 if option == "--slow" else 6)
