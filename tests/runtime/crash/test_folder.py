"""Crash reports on the disk: without private data, bounded in number and size, and nothing but reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.crash.folder import MAX_FILE_BYTES, MOST_REPORTS, CrashFolder
from runtime.crash.report import Crash, CrashKind, shortened

NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


def crash(minutes: int = 0, detail: str = "", kind: CrashKind = CrashKind.WINDOW) -> Crash:
    """Return a crash so long after noon."""
    return Crash(kind=kind, at=NOON + timedelta(minutes=minutes), what=f"crash {minutes}", detail=detail)


def folder_in(logs: Path) -> CrashFolder:
    """Return a folder from whose reports Ada's name is taken."""
    return CrashFolder(logs, lambda text: text.replace("ada", "<user>"))


def test_what_is_kept_comes_back_the_newest_first(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    kept = [folder.keep(crash(minutes, kind=kind)) for minutes, kind in enumerate(CrashKind)]
    assert folder.reports() == tuple(reversed(kept))
    assert "First Token 0." in kept[0].text
    assert "crash 0" in kept[0].text


def test_private_data_is_taken_out_before_anything_is_written(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    folder.keep(crash(detail="ada's chats"))
    (file,) = folder.folder.iterdir()
    assert "ada" not in file.read_text(encoding="utf-8")
    assert "<user>'s chats" in file.read_text(encoding="utf-8")


def test_the_oldest_go_where_there_are_too_many(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    for minutes in range(MOST_REPORTS + 5):
        folder.keep(crash(minutes))
    assert len(list(folder.folder.iterdir())) == MOST_REPORTS
    assert [report.at for report in folder.reports()][-1] == NOON + timedelta(minutes=5)


def test_a_report_is_never_large(tmp_path: Path) -> None:
    kept = folder_in(tmp_path).keep(crash(detail="begin" + "ü" * 10_000_000 + "end"))
    (file,) = folder_in(tmp_path).folder.iterdir()
    assert file.stat().st_size <= MAX_FILE_BYTES
    assert "begin" in kept.text
    assert "end\n" in kept.text


def test_deleting_deletes_reports_and_nothing_else(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    kept = folder.keep(crash())
    other = tmp_path / "first-token.log"
    other.write_text("a log", encoding="utf-8")
    folder.delete("../first-token.log")
    assert other.exists()
    folder.delete(kept.name)
    folder.delete(kept.name)
    assert folder.reports() == ()


def test_what_is_no_report_is_not_shown(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    kept = folder.keep(crash())
    (tmp_path / "secret").write_text("a secret", encoding="utf-8")
    (folder.folder / "notes.txt").write_text("mine", encoding="utf-8")
    (folder.folder / "20270301-120000-window-00000000.txt").symlink_to(tmp_path / "secret")
    (folder.folder / "20270301-120000-window-00000001.txt").mkdir()
    assert folder.reports() == (kept,)


def test_a_date_that_is_none_is_shown_all_the_same(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    folder.folder.mkdir()
    (folder.folder / "99999999-999999-model-00000000.txt").write_bytes(b"\xff text")
    (report,) = folder.reports()
    assert report.kind is CrashKind.MODEL
    assert report.text.endswith(" text")


def test_without_a_folder_there_are_no_reports(tmp_path: Path) -> None:
    assert folder_in(tmp_path / "nowhere").reports() == ()


def test_a_folder_that_cannot_be_written_to_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OSError, match="directory"):
        folder_in(tmp_path / "file").keep(crash())


@given(st.text(), st.integers(10, 200))
def test_what_is_shortened_keeps_beginning_and_end(detail: str, most: int) -> None:
    short = shortened(detail, most)
    assert short == detail if len(detail) <= most else short.startswith(detail[: int(most * 0.3)])
    assert short.endswith(detail[-1:])
    assert len(short) <= max(most, 0) + len("\n… 1,000,000,000 characters left out …\n")
