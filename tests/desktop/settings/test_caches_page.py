"""The list of what is kept, over a real folder and a real store: what it says, its budgets, and forgetting."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QDoubleSpinBox, QLabel, QPushButton, QTableView
from pytestqt.qtbot import QtBot

from desktop.settings.caches_page import CachesPage
from desktop.state.kv_caches_state import KvCachesState
from desktop.state.settings_state import SettingsState
from desktop.theme.colors import DARK
from runtime.config.paths import AppPaths, app_paths
from runtime.config.settings import Settings, read_settings, write_settings
from runtime.values.chat import Chat
from runtime.values.kv_cache import KeptCache
from tests.desktop.controls import controls_of, find
from tests.desktop.looks import make_theme
from tests.desktop.open_window_state import OpenState, open_state, until
from tests.runtime.kv_store.caches import OTHER_SCOPE, SCOPE, content_of, store_in

LONG_TITLE = "A chat with a title that is much longer than any column could ever be, " * 3


class Opened:
    """The page and what is behind it."""

    def __init__(self, state: OpenState, paths: AppPaths) -> None:
        self.state = state
        self.paths = paths
        self.settings = SettingsState(paths.config_file)
        self.caches = KvCachesState(state.engine, state.chats, state.chat, state.storage, state.tasks, paths.kv_caches)
        self.page = CachesPage(make_theme(), self.settings, self.caches, state.chats, state.tasks)
        self.page.resize(560, 640)
        self.page.show()

    @property
    def table(self) -> QTableView:
        """The list."""
        return find(self.page, QTableView, "cacheTable")

    @property
    def cells(self) -> list[list[str]]:
        """What the table says, without the last column, which is a date."""
        model = self.table.model()
        return [[str(model.index(row, column).data()) for column in range(4)] for row in range(model.rowCount())]

    def button(self, name: str) -> QPushButton:
        """Return a button by name."""
        return find(self.page, QPushButton, name)

    def field(self, name: str) -> QDoubleSpinBox:
        """Return a field for a budget."""
        return find(self.page, QDoubleSpinBox, name)

    def choose(self, row: int) -> None:
        """Choose a row and no other."""
        how = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        self.table.selectionModel().select(self.table.model().index(row, 0), how)

    async def chat(self, title: str) -> Chat:
        """Make a chat."""
        return await self.state.storage.run(lambda opened: opened.store.chats.create(title=title))

    async def look(self) -> None:
        """Look what there is."""
        await self.state.chats.refresh()
        await self.caches.refresh()

    def keep(self, number: int, uid: str, size: int, *, other_model: bool = False) -> None:
        """Have a cache on disk."""
        store = store_in(self.paths.kv_caches, OTHER_SCOPE if other_model else SCOPE)
        assert store.write(msgspec.structs.replace(content_of((number, 1, 2), size), conversation=uid))


@pytest.fixture
async def opened(tmp_path: Path, qtbot: QtBot) -> AsyncIterator[Opened]:
    paths = app_paths({"FIRST_TOKEN_HOME": str(tmp_path / "app")})
    async with open_state(paths.data) as state:
        window = Opened(state, paths)
        qtbot.addWidget(window.page)
        yield window
        window.caches.close()


async def test_nothing_kept_is_said_and_nothing_can_be_forgotten(opened: Opened) -> None:
    await opened.look()
    assert not opened.table.isVisible()
    assert find(opened.page, QLabel, "cachesEmpty").isVisible()
    assert find(opened.page, QLabel, "cachesTotals").text() == ""
    assert not opened.button("forgetCachesButton").isEnabled()
    assert not opened.button("forgetAllCachesButton").isEnabled()


async def test_lists_chats_by_model_with_what_they_take(opened: Opened) -> None:
    one, two = await opened.chat("One"), await opened.chat("Two")
    opened.keep(1, one.uid, 5000)
    opened.keep(2, one.uid, 700, other_model=True)
    opened.keep(3, two.uid, 3000)
    opened.keep(4, two.uid, 4000)
    opened.keep(5, "of the command line", 600)
    opened.keep(6, "", 50)
    await opened.look()
    assert sorted(opened.cells) == [
        ["None of these chats", "Tiny", "–", "50 B"],
        ["None of these chats", "Tiny", "–", "600 B"],
        ["One", "Other", "–", "700 B"],
        ["One", "Tiny", "–", "5.0 kB"],
        ["Two", "Tiny", "–", "7.0 kB"],
    ]
    assert find(opened.page, QLabel, "cachesTotals").text() == "0 B in memory, 13 kB on disk"
    opened.caches.kept = (KeptCache(conversation=two.uid, tokens=7, nbytes=90),)
    opened.caches.changed.emit()
    assert opened.cells[0] == ["Two", "", "90 B", "–"]


async def test_a_row_is_forgotten_and_no_other(opened: Opened) -> None:
    one = await opened.chat("One")
    opened.keep(1, one.uid, 5000)
    opened.keep(2, one.uid, 700, other_model=True)
    opened.keep(3, "", 50)
    await opened.look()
    opened.choose(opened.cells.index(["One", "Other", "–", "700 B"]))
    QTest.mouseClick(opened.button("forgetCachesButton"), Qt.MouseButton.LeftButton)
    await until(lambda: len(opened.cells) == 2)
    assert sorted(cells[3] for cells in opened.cells) == ["5.0 kB", "50 B"]
    assert not opened.button("forgetCachesButton").isEnabled()
    opened.table.setFocus()
    opened.choose(opened.cells.index(["None of these chats", "Tiny", "–", "50 B"]))
    opened.page.activateWindow()
    QTest.keyClick(opened.table, Qt.Key.Key_Delete)
    await until(lambda: [cells[3] for cells in opened.cells] == ["5.0 kB"])
    QTest.mouseClick(opened.button("forgetAllCachesButton"), Qt.MouseButton.LeftButton)
    await until(lambda: not opened.table.isVisible())
    assert store_in(opened.paths.kv_caches).entries() == []


async def test_what_has_a_strange_name_can_be_forgotten_as_well(opened: Opened) -> None:
    scope = msgspec.structs.replace(SCOPE, model_name="two\nlines " + "x" * 5000)
    assert store_in(opened.paths.kv_caches, scope).write(content_of((1, 2, 3)))
    await opened.look()
    opened.choose(0)
    QTest.mouseClick(opened.button("forgetCachesButton"), Qt.MouseButton.LeftButton)
    await until(lambda: not opened.table.isVisible())
    assert store_in(opened.paths.kv_caches, scope).entries() == []


async def test_what_was_chosen_stays_chosen_when_the_list_changes(opened: Opened) -> None:
    one, two = await opened.chat("One"), await opened.chat("Two")
    opened.keep(1, one.uid, 5000)
    await opened.look()
    opened.choose(0)
    opened.keep(2, two.uid, 100)
    await opened.look()
    (chosen,) = opened.table.selectionModel().selectedRows()
    assert chosen.data() == "One"
    assert opened.button("forgetCachesButton").isEnabled()


async def test_budgets_and_the_switch_are_kept(opened: Opened) -> None:
    memory, disk = opened.field("kvMemoryField"), opened.field("kvDiskField")
    assert (memory.text(), disk.text()) == ("Automatic", "Automatic")
    memory.setValue(2.5)
    disk.setValue(0)
    wanted = Settings(kv_memory_bytes=2_500_000_000, kv_disk_bytes=0)
    await until(lambda: read_settings(opened.paths.config_file) == wanted)
    memory.stepDown()
    memory.setValue(memory.minimum())
    box = find(opened.page, QCheckBox, "keepKvCachesBox")
    box.click()
    wanted = Settings(kv_disk_bytes=0, keep_kv_caches=False)
    await until(lambda: read_settings(opened.paths.config_file) == wanted)
    assert not disk.isEnabled()
    write_settings(opened.paths.config_file, Settings(kv_memory_bytes=10**9))
    await opened.settings.load()
    assert memory.value() == 1.0
    assert disk.text() == "Automatic"
    assert box.isChecked()


async def test_says_what_automatic_comes_to_here(opened: Opened) -> None:
    opened.page.refresh()
    default = find(opened.page, QLabel, "kvDiskDefault")
    await until(lambda: "GB here." in default.text() or "MB here." in default.text())


async def test_hundreds_of_rows_and_long_titles_fit(opened: Opened) -> None:
    for number in range(300):
        chat = await opened.chat(f"{number} {LONG_TITLE}")
        opened.caches.kept += (KeptCache(conversation=chat.uid, tokens=number, nbytes=10**9 * number + 1),)
    await opened.state.chats.refresh()
    opened.caches.changed.emit()
    assert len(opened.cells) == 300
    for theme in (make_theme(DARK, text_scale=2.0), make_theme()):
        opened.page.apply_theme(theme)
        for _ in range(2):
            QApplication.processEvents()
            opened.page.resize(opened.page.minimumSizeHint())
        QApplication.processEvents()
        assert opened.page.horizontalScrollBar().maximum() == 0
        assert opened.table.horizontalScrollBar().maximum() == 0
        assert opened.table.columnWidth(0) >= 60
        assert opened.table.verticalScrollBar().maximum() > 0


async def test_every_control_has_a_name_and_says_what_it_is(opened: Opened) -> None:
    opened.keep(1, "", 50)
    await opened.look()
    controls = controls_of(opened.page)
    assert [repr(control) for control in controls if not control.objectName()] == []
    assert [control.objectName() for control in controls if not control.accessibleName()] == []
