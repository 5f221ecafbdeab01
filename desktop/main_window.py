"""The window: places toolbar, sidebar, chat and metrics panel, and holds the menu bar. No logic of its own."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, Signal
from PySide6.QtGui import QAction, QCloseEvent, QColor, QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QMenu, QVBoxLayout, QWidget

from desktop.theme.theme import Theme
from desktop.widgets.icon_button import IconButton
from desktop.widgets.notice_bar import NoticeBar
from desktop.widgets.panel_splitter import PanelSplitter

SIDEBAR_PX, METRICS_PX = 240, 300
SIDEBAR_LEAST_PX, CHAT_LEAST_PX, METRICS_LEAST_PX = 180, 400, 250
DEFAULT_SIZE_PX = (1280, 820)
MINIMUM_SIZE_PX = (CHAT_LEAST_PX + METRICS_LEAST_PX + 1, 420)
TOOLBAR_MARGIN_PX = 8


class Parts:
    """The panels that the window places."""

    __slots__ = ("chat", "metrics", "model", "sidebar")

    def __init__(self, sidebar: QWidget, chat: QWidget, metrics: QWidget, model: QWidget) -> None:
        self.sidebar = sidebar
        self.chat = chat
        self.metrics = metrics
        self.model = model


class Toolbar(QWidget):
    """New chat on the left, the model in the middle, panels on the right."""

    def __init__(self, theme: Theme, model: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.sidebar_button = IconButton(theme, "panel-left", "sidebarButton", self.tr("Show or hide the chats"))
        self.new_chat_button = IconButton(theme, "message-square-plus", "newChatButton", self.tr("New chat"))
        self.chat_settings_button = IconButton(
            theme, "sliders-horizontal", "chatSettingsButton", self.tr("System prompt and sampling of this chat")
        )
        self.metrics_button = IconButton(
            theme, "panel-right", "metricsButton", self.tr("Show or hide the live figures")
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(TOOLBAR_MARGIN_PX, TOOLBAR_MARGIN_PX, TOOLBAR_MARGIN_PX, TOOLBAR_MARGIN_PX)
        row.addWidget(self.sidebar_button)
        row.addWidget(self.new_chat_button)
        row.addStretch(1)
        row.addWidget(model)
        row.addStretch(1)
        row.addWidget(self.chat_settings_button)
        row.addWidget(self.metrics_button)

    @property
    def buttons(self) -> tuple[IconButton, ...]:
        """Every button."""
        return (self.sidebar_button, self.new_chat_button, self.chat_settings_button, self.metrics_button)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._theme = theme
        for button in self.buttons:
            button.apply_theme(theme)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the ground and the line below."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._theme.colors.window))
        painter.fillRect(0, self.height() - 1, self.width(), 1, QColor(self._theme.colors.border))
        painter.end()


class MainWindow(QMainWindow):
    """The one window.

    Signals:
        closing: the window is about to close.
        first_painted: the window has been painted for the first time.
    """

    closing = Signal()
    first_painted = Signal()

    def __init__(self, theme: Theme, parts: Parts) -> None:
        super().__init__()
        self.theme = theme
        self._painted = False
        self._menus: dict[str, QMenu] = {}
        self.parts = parts
        self.setObjectName("mainWindow")
        self.setWindowTitle("First Token")
        self.setMinimumSize(*MINIMUM_SIZE_PX)
        self.resize(*DEFAULT_SIZE_PX)
        self.toolbar = Toolbar(theme, parts.model, self)
        self.notices = NoticeBar(theme, self)
        self._splitter = PanelSplitter("mainSplitter", self)
        parts.sidebar.setMinimumWidth(SIDEBAR_LEAST_PX)
        parts.chat.setMinimumWidth(CHAT_LEAST_PX)
        parts.metrics.setMinimumWidth(METRICS_LEAST_PX)
        sizes_px = (SIDEBAR_PX, DEFAULT_SIZE_PX[0] - SIDEBAR_PX - METRICS_PX, METRICS_PX)
        self._splitter.place(parts.sidebar, parts.chat, parts.metrics, sizes_px)
        self._place()
        self.toolbar.sidebar_button.clicked.connect(lambda: self.toggle(parts.sidebar))
        self.toolbar.metrics_button.clicked.connect(lambda: self.toggle(parts.metrics))

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self.theme = theme
        self.toolbar.apply_theme(theme)
        self.notices.apply_theme(theme)

    def toggle(self, panel: QWidget) -> None:
        """Show a panel that is hidden, or hide it."""
        self._splitter.toggle(panel)

    def add_menu_action(self, menu: str, text: str, name: str, keys: QKeySequence | None = None) -> QAction:
        """Add an entry to the menu called `menu` (made if it is not there) and return it."""
        if menu not in self._menus:
            self._menus[menu] = self.menuBar().addMenu(menu)
        action = QAction(text, self)
        action.setObjectName(name)
        if keys is not None:
            action.setShortcut(keys)
        self._menus[menu].addAction(action)
        return action

    def saved_layout(self) -> bytes:
        """Return sizes and positions of window and panels."""
        return self._splitter.saved()

    def restore_layout(self, geometry: bytes, layout: bytes) -> None:
        """Put window and panels where they were; what cannot be read is ignored."""
        self.restoreGeometry(QByteArray(geometry))
        self._splitter.restore(layout)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Let the app save and stop first."""
        self.closing.emit()
        event.accept()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Note the first paint: what is heavy may be imported from here on."""
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            self.first_painted.emit()

    def _place(self) -> None:
        content = QWidget(self)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.toolbar)
        column.addWidget(self.notices)
        column.addWidget(self._splitter, 1)
        self.setCentralWidget(content)
