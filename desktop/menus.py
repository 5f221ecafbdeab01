"""The menu bar: the standard items in their places, with the platform's own shortcuts.

The titles come with the window, the entries once there is something behind them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import cast

import msgspec
from PySide6.QtCore import QCoreApplication, QEvent, QKeyCombination
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QMenu

from desktop.main_window import MainWindow

Keys = QKeySequence.StandardKey


def tr(text: str) -> str:
    """Return `text` in the user's language."""
    return QCoreApplication.translate("Menus", text)


class Commands(msgspec.Struct, frozen=True, kw_only=True):
    """What the menus do."""

    new_chat: Callable[[], None]
    export_chat: Callable[[], None]
    export_all: Callable[[], None]
    import_chats: Callable[[], None]
    search_chats: Callable[[], None]
    find: Callable[[], None]
    toggle_sidebar: Callable[[], None]
    toggle_metrics: Callable[[], None]
    larger_text: Callable[[], None]
    smaller_text: Callable[[], None]
    usual_text: Callable[[], None]
    find_models: Callable[[], None]
    choose_model: Callable[[], None]
    unload_model: Callable[[], None]
    model_options: Callable[[], None]
    benchmark: Callable[[], None]
    chat_settings: Callable[[], None]
    settings: Callable[[], None]
    check_updates: Callable[[], None]
    crash_reports: Callable[[], None]
    about: Callable[[], None]


class Menu:
    """One menu of the bar, being filled."""

    def __init__(self, menu: QMenu) -> None:
        self._menu = menu

    def add(self, text: str, name: str, run: Callable[[], object], *keys: QKeySequence | Keys | str) -> QAction:
        """Add an entry with its shortcuts, the first of which it shows."""
        action = QAction(text, self._menu)
        action.setObjectName(name)
        action.setShortcuts(list(dict.fromkeys(shortcut for key in keys for shortcut in _shortcuts(key))))
        action.setMenuRole(QAction.MenuRole.NoRole)  # Else macOS guesses by the text, in whatever language.
        action.triggered.connect(lambda _checked: run())
        self._menu.addAction(action)
        return action

    def add_line(self) -> None:
        """Begin another group."""
        self._menu.addSeparator()


def add_titles(window: MainWindow, platform: str = sys.platform) -> None:
    """Put the menus' titles into the menu bar."""
    titles = {
        "fileMenu": tr("&File"),
        "editMenu": tr("&Edit"),
        "viewMenu": tr("&View"),
        "modelMenu": tr("&Model"),
        "windowMenu": tr("&Window"),
        "helpMenu": tr("&Help"),
    }
    for name, title in titles.items():
        if name != "windowMenu" or platform == "darwin":  # Other platforms have all of it in the title bar.
            window.menuBar().addMenu(title).setObjectName(name)


def build_menus(window: MainWindow, commands: Commands, platform: str = sys.platform) -> None:
    """Fill the menu bar of `window`, whose titles are there."""

    def menu(name: str) -> Menu:
        (found,) = window.menuBar().findChildren(QMenu, name)
        return Menu(found)

    _fill_file(menu("fileMenu"), commands, window)
    _fill_edit(menu("editMenu"), commands)
    _fill_view(menu("viewMenu"), commands, window)
    _fill_model(menu("modelMenu"), commands)
    if platform == "darwin":
        _fill_window(menu("windowMenu"), window)
    _fill_help(menu("helpMenu"), commands)


def _fill_file(menu: Menu, commands: Commands, window: MainWindow) -> None:
    menu.add(tr("New chat"), "newChatAction", commands.new_chat, Keys.New)
    menu.add_line()
    menu.add(tr("Import chats…"), "importAction", commands.import_chats, Keys.Open)
    menu.add(tr("Export this chat…"), "exportChatAction", commands.export_chat, Keys.SaveAs)
    menu.add(tr("Export all chats…"), "exportAllAction", commands.export_all)
    menu.add_line()
    menu.add(tr("Close window"), "closeAction", window.close, Keys.Close)
    leave = menu.add(tr("Quit First Token"), "quitAction", window.close, Keys.Quit)
    # macOS moves this one, the settings and "About" into the app's own menu, where people look for them.
    leave.setMenuRole(QAction.MenuRole.QuitRole)


def _fill_edit(menu: Menu, commands: Commands) -> None:
    menu.add(tr("Undo"), "undoAction", lambda: _press(Keys.Undo), Keys.Undo)
    menu.add(tr("Redo"), "redoAction", lambda: _press(Keys.Redo), Keys.Redo)
    menu.add_line()
    menu.add(tr("Cut"), "cutAction", lambda: _press(Keys.Cut), Keys.Cut)
    menu.add(tr("Copy"), "copyAction", lambda: _press(Keys.Copy), Keys.Copy)
    menu.add(tr("Paste"), "pasteAction", lambda: _press(Keys.Paste), Keys.Paste)
    menu.add(tr("Select all"), "selectAllAction", lambda: _press(Keys.SelectAll), Keys.SelectAll)
    menu.add_line()
    menu.add(tr("Find in this chat"), "findAction", commands.find, Keys.Find)
    menu.add(tr("Search chats"), "searchChatsAction", commands.search_chats, "Ctrl+Shift+F")
    menu.add_line()
    settings = menu.add(tr("Settings…"), "settingsAction", commands.settings, Keys.Preferences, "Ctrl+,")
    settings.setMenuRole(QAction.MenuRole.PreferencesRole)


def _fill_view(menu: Menu, commands: Commands, window: MainWindow) -> None:
    menu.add(tr("Show or hide chats"), "toggleSidebarAction", commands.toggle_sidebar, "Ctrl+Shift+L")
    menu.add(tr("Show or hide figures"), "toggleMetricsAction", commands.toggle_metrics, "Ctrl+Shift+M")
    menu.add_line()
    menu.add(tr("Larger text"), "largerTextAction", commands.larger_text, Keys.ZoomIn, "Ctrl+=")
    menu.add(tr("Smaller text"), "smallerTextAction", commands.smaller_text, Keys.ZoomOut)
    menu.add(tr("Usual text size"), "usualTextAction", commands.usual_text, "Ctrl+0")
    menu.add_line()
    menu.add(tr("Full screen"), "fullScreenAction", window.toggle_full_screen, Keys.FullScreen)


def _fill_model(menu: Menu, commands: Commands) -> None:
    menu.add(tr("Find models…"), "findModelsAction", commands.find_models, "Ctrl+Shift+O")
    menu.add(tr("Choose model"), "chooseModelAction", commands.choose_model, "Ctrl+L")
    menu.add(tr("Context and KV cache…"), "modelOptionsAction", commands.model_options)
    menu.add(tr("Unload model"), "unloadModelAction", commands.unload_model)
    menu.add_line()
    menu.add(tr("Benchmark…"), "benchmarkAction", commands.benchmark, "Ctrl+Shift+B")
    menu.add_line()
    menu.add(tr("System prompt and sampling…"), "chatSettingsAction", commands.chat_settings, "Ctrl+Shift+P")


def _fill_window(menu: Menu, window: MainWindow) -> None:
    menu.add(tr("Minimize"), "minimizeAction", window.showMinimized, "Ctrl+M")
    menu.add(tr("Zoom"), "zoomAction", window.toggle_maximized)


def _fill_help(menu: Menu, commands: Commands) -> None:
    updates = menu.add(tr("Check for updates…"), "checkUpdatesAction", commands.check_updates)
    updates.setMenuRole(QAction.MenuRole.ApplicationSpecificRole)
    menu.add(tr("Crash reports…"), "crashReportsAction", commands.crash_reports)
    menu.add_line()
    about = menu.add(tr("About First Token"), "aboutAction", commands.about)
    about.setMenuRole(QAction.MenuRole.AboutRole)


def _shortcuts(key: QKeySequence | Keys | str) -> list[QKeySequence]:
    """Return the platform's keys for a standard action (it may have none), or the one that is named."""
    return QKeySequence.keyBindings(key)[:1] if isinstance(key, Keys) else [QKeySequence(key)]


def _press(key: Keys) -> None:
    """Do in whatever has the keyboard focus what its own shortcut would do."""
    focused = QApplication.focusWidget()
    bindings = QKeySequence.keyBindings(key)
    if focused is None or not bindings:
        return
    # PySide6 does not say that a sequence can be indexed.
    combination = cast("Sequence[QKeyCombination]", bindings[0])[0]
    # Not through the application: it would look for a shortcut first, and find this entry again.
    focused.event(QKeyEvent(QEvent.Type.KeyPress, combination.key(), combination.keyboardModifiers()))
