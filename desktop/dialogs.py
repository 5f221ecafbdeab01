"""The dialogs that the menus open: settings, a chat's own settings, newer versions, crash reports, what this app is.

Imported when the first of them is opened: most days none is.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QMessageBox

from desktop.crash_reports.crash_dialog import CrashDialog
from desktop.main_window import MainWindow
from desktop.session import States
from desktop.settings.caches_page import CachesPage
from desktop.settings.chat_settings import ChatSettingsDialog
from desktop.settings.general_page import GeneralPage
from desktop.settings.model_options import ModelOptionsDialog
from desktop.settings.models_page import ModelsPage
from desktop.settings.privacy_page import PrivacyPage
from desktop.settings.settings_dialog import SettingsDialog
from desktop.settings.update_row import UpdateRow
from desktop.state.chat_settings_state import ChatSettingsState
from desktop.state.model_options_state import ModelOptionsState
from desktop.theme.theme import Theme
from desktop.updates.update_dialog import UpdateDialog
from runtime.config.paths import AppPaths


class Dialogs(QObject):
    """Opens them over the window; each at most once."""

    def __init__(self, states: States, window: MainWindow, paths: AppPaths) -> None:
        super().__init__(window)
        self._states = states
        self._window = window
        self._paths = paths
        self._settings: SettingsDialog | None = None
        self._updates: UpdateDialog | None = None
        self._crashes: CrashDialog | None = None
        self._chat_settings = ChatSettingsState(states.chat, states.storage, self)
        self._model_options = ModelOptionsState(
            states.engine, states.settings, states.metrics, lambda: states.bench.states.history, self
        )

    def apply_theme(self, theme: Theme) -> None:
        """Dress what is open."""
        for dialog in (self._settings, self._updates, self._crashes):
            if dialog is not None:
                dialog.apply_theme(theme)

    def open_settings(self) -> None:
        """Show the preferences."""
        if self._settings is None:
            states = self._states
            theme = self._window.theme
            self._settings = SettingsDialog(
                theme,
                GeneralPage(theme, states.preferences),
                ModelsPage(theme, states.settings, states.installed, states.tasks),
                PrivacyPage(
                    theme, self._paths, UpdateRow(states.settings, states.tasks, has_feed=states.updates().has_feed)
                ),
                CachesPage(theme, states.settings, states.caches, states.chats, states.tasks),
                self._window,
            )
        self._settings.present()

    def open_model_options(self, measure: Callable[[], None]) -> None:
        """Show context and KV cache of the model in use; `measure` opens the benchmark of widths of the cache."""
        states = self._states
        dialog = ModelOptionsDialog(
            self._window.theme, self._model_options, states.tasks, lambda: states.chat.busy, self._window
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.measure_requested.connect(measure)
        dialog.present()

    def open_chat_settings(self) -> None:
        """Show the system prompt and the sampling of the open chat."""
        dialog = ChatSettingsDialog(self._window.theme, self._chat_settings, self._states.tasks, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.present()

    def open_updates(self, *, asks: bool) -> None:
        """Show what is known of newer versions; `asks` for them first, which only the user may want."""
        if self._updates is None:
            states = self._states
            self._updates = UpdateDialog(self._window.theme, states.updates(), states.tasks, self._window)
        self._updates.present(asks=asks)

    def open_crash_reports(self, name: str = "") -> None:
        """Show the crash reports, and of them the one called `name` first."""
        if self._crashes is None:
            states = self._states
            self._crashes = CrashDialog(self._window.theme, states.crashes(), states.tasks, self._window)
        self._crashes.present(name)

    def open_about(self) -> None:
        """Say what this is."""
        box = QMessageBox(self._window)
        box.setObjectName("aboutDialog")
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle(self.tr("About First Token"))
        close = box.addButton(QMessageBox.StandardButton.Close)
        close.setObjectName("aboutCloseButton")
        close.setAccessibleName(close.text().replace("&", ""))
        box.setText(f"First Token {version('first-token')}")
        box.setInformativeText(
            self.tr("Runs language models on this machine and shows what inference costs. Nothing leaves the machine.")
        )
        box.open()
