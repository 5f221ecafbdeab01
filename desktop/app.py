"""The composition root: makes every part of the window, wires them, and runs them.

Start-up order:

1. `desktop.__main__` has decided that this is neither a worker nor a command, and that there is a display, without
   which Qt would end the process.
2. Qt is imported.
3. `QApplication`, style, fonts, palette.
4. State, then widgets; nothing here waits for the disk or for a model.
5. `Session.run` on the event loop: preferences, first paint, then the worker with the last model, the list of chats and
   the last chat, all at the same time.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import qasync
from PySide6.QtCore import QLocale, Qt, QTranslator
from PySide6.QtWidgets import QApplication

from desktop.chat.chat_panel import ChatPanel
from desktop.commands import WindowCommands
from desktop.conversations.sidebar import Sidebar
from desktop.main_window import MainWindow, Parts
from desktop.metrics.metrics_panel import MetricsPanel
from desktop.model_control.model_button import ModelButton
from desktop.session import Session, States
from desktop.state.bandwidth_state import BandwidthState
from desktop.state.chat_list_state import ChatListState
from desktop.state.chat_state import ChatState
from desktop.state.engine_state import EngineState
from desktop.state.installed_state import InstalledState
from desktop.state.metrics_state import MetricsState
from desktop.state.preferences import Preferences, PreferencesState
from desktop.state.settings_state import SettingsState
from desktop.state.storage import Storage
from desktop.tasks import Tasks
from desktop.theme.colors import colors_for
from desktop.theme.control_style import ControlStyle
from desktop.theme.fonts import Fonts, load_fonts
from desktop.theme.icons import Icons
from desktop.theme.palette import qt_palette
from desktop.theme.theme import Theme, fonts_folder, icons_folder
from runtime.client.base import ModelToLoad
from runtime.client.launch import choose_model, make_supervisor, model_to_load
from runtime.config.paths import AppPaths, app_paths
from runtime.config.settings import read_settings
from runtime.library.installed import list_models
from runtime.store.opening import FILE_NAME, open_store

FRAME_S = 1 / 60


class Desktop:
    """Everything the window is made of."""

    def __init__(self, application: QApplication, loop: asyncio.AbstractEventLoop, paths: AppPaths) -> None:
        self._application = application
        self._fonts = load_fonts(fonts_folder(paths.assets))
        self._icons = Icons(icons_folder(paths.assets))
        self.metrics = MetricsState()
        self.states = make_states(loop, paths, self.metrics)
        self.bandwidth = BandwidthState(self.states.engine, self.metrics, self.states.tasks)
        theme = self._theme()
        self._dress(theme)
        self.chat_panel = ChatPanel(theme, self.states.chat, self.states.engine, self.metrics, self.states.tasks)
        self.sidebar = Sidebar(theme, self.states.chats, self.states.tasks)
        self.metrics_panel = MetricsPanel(theme, self.metrics, self.states.engine)
        self.model_button = ModelButton(theme, self.states.engine, self.states.installed)
        parts = Parts(self.sidebar, self.chat_panel, self.metrics_panel, self.model_button)
        self.window = MainWindow(theme, parts)
        self.commands = WindowCommands(
            self.states, self.window, self.chat_panel, self.sidebar, self.model_button, paths
        )
        self.session = Session(self.states, self.window, self.chat_panel)
        self.states.preferences.changed.connect(lambda _: self.apply_theme())
        application.styleHints().colorSchemeChanged.connect(lambda _: self.apply_theme())
        self.window.apply_theme(theme)

    def apply_theme(self) -> None:
        """Dress everything anew: the user or the system chose another look."""
        theme = self._theme()
        self._dress(theme)
        for part in (self.window, self.chat_panel, self.sidebar, self.metrics_panel, self.model_button, self.commands):
            part.apply_theme(theme)

    def _theme(self) -> Theme:
        preferences: Preferences = self.states.preferences.preferences
        system_is_dark = self._application.styleHints().colorScheme() is Qt.ColorScheme.Dark
        colors = colors_for(preferences.appearance, system_is_dark=system_is_dark)
        fonts: Fonts = msgspec.structs.replace(self._fonts, scale=preferences.text_scale)
        return Theme(colors, fonts, self._icons, reduced_motion=preferences.reduced_motion)

    def _dress(self, theme: Theme) -> None:
        self._application.setPalette(qt_palette(theme.colors))
        self._application.setFont(theme.fonts.text())


def make_states(loop: asyncio.AbstractEventLoop, paths: AppPaths, metrics: MetricsState) -> States:
    """Return everything the window knows, empty yet."""
    storage = Storage(lambda: open_store(paths.data / FILE_NAME))
    tasks = Tasks(loop)

    def choose(name: str) -> ModelToLoad:
        model, settings = choose_model(name, None, paths)
        return model_to_load(model, settings)

    engine = EngineState(make_supervisor(metrics.observe_memory, FRAME_S), choose)
    return States(
        storage=storage,
        tasks=tasks,
        preferences=PreferencesState(storage, tasks),
        settings=SettingsState(paths.config_file),
        engine=engine,
        installed=InstalledState(lambda: list_models(paths, read_settings(paths.config_file))),
        chats=ChatListState(storage),
        chat=ChatState(storage, engine, metrics),
    )


def make_application(assets: Path, platform: str = sys.platform) -> QApplication:
    """Return the application object with name, style and translation."""
    application = QApplication(sys.argv[:1])
    application.setApplicationName("First Token")
    application.setDesktopFileName("first-token")
    application.setQuitOnLastWindowClosed(False)  # The session ends the app when everything is saved.
    if platform != "darwin":
        application.setStyle(ControlStyle())
    translator = QTranslator(application)
    if translator.load(QLocale(), "first-token", "_", str(assets / "translations")):
        application.installTranslator(translator)
    return application


def main(environment: Mapping[str, str]) -> int:
    """Open the window and serve it until it closes; return the exit code."""
    paths = app_paths(environment)
    application = make_application(paths.assets)
    loop = qasync.QEventLoop(application)
    asyncio.set_event_loop(loop)
    with loop:
        desktop = Desktop(application, loop, paths)
        loop.run_until_complete(desktop.session.run())
    return 0
