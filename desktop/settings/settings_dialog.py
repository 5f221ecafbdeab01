"""The window with the preferences. Every change holds at once, so there is nothing to confirm."""

from __future__ import annotations

import sys

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QTabWidget, QVBoxLayout, QWidget

from desktop.settings.caches_page import CachesPage
from desktop.settings.general_page import GeneralPage
from desktop.settings.models_page import ModelsPage
from desktop.settings.privacy_page import PrivacyPage
from desktop.theme.theme import Theme

WIDTH_LINES, HEIGHT_LINES = 36, 41
MARGIN_PX = 10


class SettingsDialog(QDialog):
    """Four pages in tabs. Not modal: the main window shows each change as it is made."""

    def __init__(
        self,
        theme: Theme,
        general: GeneralPage,
        models: ModelsPage,
        privacy: PrivacyPage,
        caches: CachesPage,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._general = general
        self._models = models
        self._privacy = privacy
        self._caches = caches
        self._tabs = QTabWidget(self)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        self.setObjectName("settingsDialog")
        self.setWindowTitle(self.tr("Settings"))
        self.setSizeGripEnabled(False)
        self._build_tabs()
        self._build_buttons()
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        column.addWidget(self._tabs, 1)
        column.addWidget(self._buttons)
        close = QShortcut(QKeySequence(QKeySequence.StandardKey.Close), self)
        close.activated.connect(self.close)
        self.apply_theme(theme)
        self.resize(self.sizeHint())

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self.setFont(theme.fonts.text())
        for page in (self._general, self._models, self._privacy, self._caches):
            page.apply_theme(theme)

    def sizeHint(self) -> QSize:
        """Return a size in proportion to the text, within the screen."""
        line = self.fontMetrics().height()
        room = self.screen().availableSize()
        return QSize(min(WIDTH_LINES * line, room.width()), min(HEIGHT_LINES * line, room.height()))

    def present(self) -> None:
        """Show the window, or bring it to the front, with fresh content."""
        self._models.refresh()
        self._privacy.refresh()
        self._caches.refresh()
        self.show()
        self.raise_()
        self.activateWindow()

    def _build_tabs(self) -> None:
        self._tabs.setObjectName("settingsTabs")
        self._tabs.setAccessibleName(self.tr("Settings"))
        self._tabs.setDocumentMode(True)
        bar = self._tabs.tabBar()
        bar.setObjectName("settingsTabBar")
        bar.setAccessibleName(self.tr("Pages of settings"))
        bar.setDrawBase(False)
        self._tabs.addTab(self._general, self.tr("General"))
        self._tabs.addTab(self._models, self.tr("Models"))
        self._tabs.addTab(self._privacy, self.tr("Privacy"))
        self._tabs.addTab(self._caches, self.tr("Caches"))

    def _build_buttons(self, platform: str = sys.platform) -> None:
        button = self._buttons.button(QDialogButtonBox.StandardButton.Close)
        button.setObjectName("closeSettingsButton")
        button.setAccessibleName(self.tr("Close"))
        button.setToolTip(self.tr("Close the settings (Esc)"))
        button.setAutoDefault(False)  # Enter ends an entry in a field, not the whole window.
        self._buttons.rejected.connect(self.close)
        self._buttons.setVisible(platform != "darwin")  # There, the window's own button is enough.
        self._tabs.setFocus(Qt.FocusReason.OtherFocusReason)
