"""The menu bar: the standard items in their places, with the platform's own shortcuts."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QAction, QKeySequence

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
    choose_model: Callable[[], None]
    unload_model: Callable[[], None]
    chat_settings: Callable[[], None]
    settings: Callable[[], None]
    about: Callable[[], None]


def build_menus(window: MainWindow, commands: Commands) -> None:
    """Fill the menu bar of `window`."""
    chat, view, model = tr("&Chat"), tr("&View"), tr("&Model")

    def add(menu: str, text: str, name: str, run: Callable[[], None], keys: QKeySequence | None = None) -> QAction:
        action = window.add_menu_action(menu, text, name, keys)
        action.triggered.connect(run)
        return action

    add(chat, tr("New chat"), "newChatAction", commands.new_chat, QKeySequence(Keys.New))
    add(chat, tr("Search chats"), "searchChatsAction", commands.search_chats, QKeySequence("Ctrl+Shift+F"))
    add(chat, tr("Find in this chat"), "findAction", commands.find, QKeySequence(Keys.Find))
    add(chat, tr("System prompt and sampling…"), "chatSettingsAction", commands.chat_settings)
    add(chat, tr("Export this chat…"), "exportChatAction", commands.export_chat, QKeySequence(Keys.SaveAs))
    add(chat, tr("Export all chats…"), "exportAllAction", commands.export_all)
    add(chat, tr("Import chats…"), "importAction", commands.import_chats)
    close = add(chat, tr("Close window"), "closeAction", lambda: _close(window), QKeySequence(Keys.Close))
    quit_action = add(chat, tr("Quit First Token"), "quitAction", lambda: _close(window), QKeySequence(Keys.Quit))
    add(view, tr("Show or hide chats"), "toggleSidebarAction", commands.toggle_sidebar, QKeySequence("Ctrl+Shift+L"))
    add(view, tr("Show or hide figures"), "toggleMetricsAction", commands.toggle_metrics, QKeySequence("Ctrl+Shift+M"))
    add(view, tr("Larger text"), "largerTextAction", commands.larger_text, QKeySequence(Keys.ZoomIn))
    add(view, tr("Smaller text"), "smallerTextAction", commands.smaller_text, QKeySequence(Keys.ZoomOut))
    add(view, tr("Usual text size"), "usualTextAction", commands.usual_text, QKeySequence("Ctrl+0"))
    add(model, tr("Choose model"), "chooseModelAction", commands.choose_model, QKeySequence("Ctrl+M"))
    add(model, tr("Unload model"), "unloadModelAction", commands.unload_model)
    settings = add(chat, tr("Settings…"), "settingsAction", commands.settings, QKeySequence(Keys.Preferences))
    about = add(tr("&Help"), tr("About First Token"), "aboutAction", commands.about)
    # macOS moves these three into the application's own menu, where people look for them.
    settings.setMenuRole(QAction.MenuRole.PreferencesRole)
    about.setMenuRole(QAction.MenuRole.AboutRole)
    quit_action.setMenuRole(QAction.MenuRole.QuitRole)
    close.setMenuRole(QAction.MenuRole.NoRole)


def _close(window: MainWindow) -> None:
    window.close()
