"""A folder is watched as long as the system tells of changes; where it does not, nothing looks at it at intervals."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QFileSystemWatcher
from pytestqt.qtbot import QtBot

from desktop.state.folder_watch import FolderWatch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="how many watches there are is counted in /proc")


def watches() -> int:
    """Return how many of the system's watchers this process has."""
    links = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum("inotify" in str(link) for link in links)


@pytest.fixture
def _one_is_left(tmp_path: Path) -> None:
    had = watches()
    watcher = QFileSystemWatcher([str(tmp_path)])
    is_left = watches() > had
    watcher.deleteLater()
    QCoreApplication.sendPostedEvents(watcher, QEvent.Type.DeferredDelete)
    if not is_left:
        pytest.skip("other programs have taken all of the system's watches")


@pytest.mark.usefixtures("_one_is_left")
def test_changes_are_told_from_the_folder_watched_last(qtbot: QtBot, tmp_path: Path) -> None:
    watch = FolderWatch()
    before, now = tmp_path / "before", tmp_path / "now"
    for folder in (before, now):
        folder.mkdir()
        watch.watch(folder)
    with qtbot.waitSignal(watch.changed):
        (now / "file").touch()
    with qtbot.assertNotEmitted(watch.changed, wait=100):
        (before / "file").touch()
    watch.stop()


@pytest.mark.usefixtures("_one_is_left")
def test_a_watch_is_given_back(qtbot: QtBot, tmp_path: Path) -> None:
    had = watches()
    watch = FolderWatch()
    watch.watch(tmp_path)
    assert watches() == had + 1
    watch.stop()
    qtbot.waitUntil(lambda: watches() == had)


def test_without_a_watch_left_the_folder_is_not_looked_at(qtbot: QtBot, tmp_path: Path) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    if limit > 1024:
        pytest.skip("this system has more watches than a process should open")
    had, others = watches(), [QFileSystemWatcher([str(tmp_path)])]
    while watches() == had + len(others):
        others.append(QFileSystemWatcher([str(tmp_path)]))
    watch = FolderWatch()
    watch.watch(tmp_path)
    is_watching = watch.is_watching
    for other in others:
        other.deleteLater()
    assert not is_watching
    qtbot.waitUntil(lambda: watches() == had)


def test_a_folder_that_is_not_there_is_not_watched(tmp_path: Path) -> None:
    watch = FolderWatch()
    watch.watch(tmp_path / "none")
    assert not watch.is_watching
