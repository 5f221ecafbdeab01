"""The menu bar has what a platform's users expect, where they expect it, and its entries do what they say."""

from __future__ import annotations

from collections import Counter

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QLabel, QMainWindow, QMenu
from pytestqt.qtbot import QtBot

from desktop.main_window import MainWindow
from desktop.menus import Keys, add_titles
from desktop.theme.fonts import MAX_SCALE
from tests.desktop.looks import make_theme
from tests.desktop.window.opened_window import Home, OpenedWindow

STANDARD = {
    "newChatAction": Keys.New,
    "importAction": Keys.Open,
    "exportChatAction": Keys.SaveAs,
    "closeAction": Keys.Close,
    "quitAction": Keys.Quit,
    "undoAction": Keys.Undo,
    "redoAction": Keys.Redo,
    "cutAction": Keys.Cut,
    "copyAction": Keys.Copy,
    "pasteAction": Keys.Paste,
    "selectAllAction": Keys.SelectAll,
    "findAction": Keys.Find,
    "largerTextAction": Keys.ZoomIn,
    "smallerTextAction": Keys.ZoomOut,
    "fullScreenAction": Keys.FullScreen,
}
ROLES = {
    "checkUpdatesAction": QAction.MenuRole.ApplicationSpecificRole,
    "settingsAction": QAction.MenuRole.PreferencesRole,
    "aboutAction": QAction.MenuRole.AboutRole,
    "quitAction": QAction.MenuRole.QuitRole,
}


def menus_of(window: QMainWindow) -> list[QMenu]:
    """Return the menus of the bar, in order."""
    found = {menu.menuAction(): menu for menu in window.menuBar().findChildren(QMenu)}
    return [found[action] for action in window.menuBar().actions()]


def entries_of(window: OpenedWindow) -> dict[str, QAction]:
    """Return every entry of every menu by its name."""
    entries = [entry for menu in menus_of(window.widget) for entry in menu.actions() if not entry.isSeparator()]
    return {entry.objectName(): entry for entry in entries}


@pytest.mark.parametrize(
    ("platform", "titles"),
    [
        ("linux", ["File", "Edit", "View", "Model", "Help"]),
        ("win32", ["File", "Edit", "View", "Model", "Help"]),
        ("darwin", ["File", "Edit", "View", "Model", "Window", "Help"]),
    ],
)
def test_menus_stand_in_the_usual_order(qtbot: QtBot, platform: str, titles: list[str]) -> None:
    window = MainWindow(make_theme())
    qtbot.addWidget(window)
    add_titles(window, platform)
    assert [menu.title().replace("&", "") for menu in menus_of(window)] == titles


async def test_standard_entries_have_the_platforms_own_keys(home: Home) -> None:
    async with home.open_scripted() as window:
        entries = entries_of(window)
        for name, standard in STANDARD.items():
            assert entries[name].shortcut() == QKeySequence(standard), name


async def test_no_two_entries_share_a_key(home: Home) -> None:
    async with home.open_scripted() as window:
        keys = Counter(key.toString() for entry in entries_of(window).values() for key in entry.shortcuts())
        assert [key for key, count in keys.items() if count > 1] == []


async def test_settings_about_and_quit_go_where_the_platform_puts_them(home: Home) -> None:
    async with home.open_scripted() as window:
        roles = {name: entry.menuRole() for name, entry in entries_of(window).items()}
        assert {name: role for name, role in roles.items() if role is not QAction.MenuRole.NoRole} == ROLES


async def test_text_grows_shrinks_and_goes_back_everywhere(home: Home) -> None:
    async with home.open_scripted() as window:

        def sizes() -> list[float]:
            shown = (window.composer, window.find(QLabel, "ttftValue"), window.find_control("modelButton"))
            return [widget.font().pointSizeF() for widget in (*shown, window.widget.menuBar())]

        usual = sizes()
        window.choose("largerTextAction")
        await window.idle()
        larger = sizes()
        assert all(after > before for before, after in zip(usual, larger, strict=True))
        window.choose("smallerTextAction")
        window.choose("smallerTextAction")
        await window.idle()
        assert all(after < before for before, after in zip(usual, sizes(), strict=True))
        window.choose("usualTextAction")
        await window.idle()
        assert sizes() == usual


async def test_text_stops_growing_before_nothing_fits(home: Home) -> None:
    async with home.open_scripted() as window:
        for _ in range(30):
            window.choose("largerTextAction")
        await window.idle()
        assert window.states.preferences.preferences.text_scale == MAX_SCALE
        screen = window.widget.screen().availableGeometry()
        assert window.widget.minimumSizeHint().width() <= max(screen.width(), 1280)


async def test_edit_entries_work_on_what_has_the_focus(home: Home) -> None:
    async with home.open_scripted() as window:
        window.composer.setFocus()
        window.write("Hello there")
        window.choose("selectAllAction")
        window.choose("copyAction")
        assert QGuiApplication.clipboard().text() == "Hello there"
        window.choose("cutAction")
        assert window.composer.toPlainText() == ""
        window.choose("undoAction")
        assert window.composer.toPlainText() == "Hello there"
        window.choose("redoAction")
        assert window.composer.toPlainText() == ""
        window.choose("pasteAction")
        assert window.composer.toPlainText() == "Hello there"


async def test_copy_takes_the_transcripts_selection_when_that_has_the_focus(home: Home) -> None:
    async with home.open_scripted() as window:
        await window.ask("A question")
        window.desktop.chat_panel.transcript.setFocus()
        window.choose("selectAllAction")
        window.choose("copyAction")
        assert "A question" in QGuiApplication.clipboard().text()


async def test_full_screen_and_back(home: Home) -> None:
    async with home.open_scripted() as window:
        window.choose("fullScreenAction")
        assert window.widget.windowState() & Qt.WindowState.WindowFullScreen
        window.choose("fullScreenAction")
        assert not window.widget.windowState() & Qt.WindowState.WindowFullScreen
