"""`first-token --self-test` from source, as a user runs it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from desktop.self_test.result import SelfTestReport
from tests.runtime.cli.command import first_token


@pytest.mark.slow
def test_this_checkout_passes(app_home: Path, tmp_path: Path) -> None:
    ended = first_token("--self-test", "--report", str(tmp_path / "report"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1] == "self-test: passed"
    written = (tmp_path / "report" / "self-test.json").read_text(encoding="utf-8")
    report = msgspec.json.decode(written, type=SelfTestReport)
    assert report.passed
    assert report.window.first_token_ms is not None
    assert report.window.text == report.window.text.strip() != ""
    assert (tmp_path / "report" / "self-test.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "report" / "self-test.txt").read_text(encoding="utf-8")
    assert text.splitlines()[-1] == "self-test: passed"
    for private in (str(Path.home()), str(app_home)):
        assert private not in written + text


@pytest.mark.slow
def test_a_window_that_cannot_open_fails_it_and_the_engines_are_still_reported(app_home: Path, tmp_path: Path) -> None:
    ended = first_token("--self-test", "--report", str(tmp_path), environment={"QT_QPA_PLATFORM": "no-such-platform"})
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[-1] == "self-test: FAILED"
    report = msgspec.json.decode((tmp_path / "self-test.json").read_bytes(), type=SelfTestReport)
    assert all(not engine.problems for engine in report.engines)
    told = (tmp_path / "self-test.txt").read_text(encoding="utf-8")
    assert str(Path.home()) not in told
    assert "no-such-platform" in " ".join(report.window.problems)
    assert not app_home.joinpath("data").exists()
