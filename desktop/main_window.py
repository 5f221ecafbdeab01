"""The window: places toolbar, sidebar, chat and metrics panel, and holds the menu bar. No logic of its own.

It can be shown before there are any panels: then their grounds are where they will be.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QByteArray, Qt, Signal
from PySide6.QtGui import QCloseEvent, QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QVBoxLayout, QWidget

from desktop.theme.theme import Theme
from desktop.widgets.icon_button import IconButton
from desktop.widgets.notice_bar import NoticeBar
from desktop.widgets.panel_splitter import PanelSplitter

SIDEBAR_PX, METRICS_PX = 240, 300
SIDEBAR_LEAST_PX, CHAT_LEAST_PX, METRICS_LEAST_PX = 180, 400, 250
DEFAULT_SIZE_PX = (1280, 820)
MINIMUM_SIZE_PX = (CHAT_LEAST_PX + METRICS_LEAST_PX + 1, 420)
TOOLBAR_MARGIN_PX = 8
BUTTONS_BEFORE_MODEL = 2
MODEL_PLACE = 1


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

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.sidebar_button = IconButton(theme, "panel-left", "sidebarButton", self.tr("Show or hide the chats"))
        self.new_chat_button = IconButton(theme, "message-square-plus", "newChatButton", self.tr("New chat"))
        self.benchmark_button = IconButton(
            theme, "gauge", "benchmarkButton", self.tr("Benchmark: how fast models run here")
        )
        self.chat_settings_button = IconButton(
            theme, "sliders-horizontal", "chatSettingsButton", self.tr("System prompt and sampling of this chat")
        )
        self.metrics_button = IconButton(
            theme, "panel-right", "metricsButton", self.tr("Show or hide the live figures")
        )
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(TOOLBAR_MARGIN_PX, TOOLBAR_MARGIN_PX, TOOLBAR_MARGIN_PX, TOOLBAR_MARGIN_PX)
        # Both sides take the same, whatever is on them, so that the middle is the window's.
        for alignment, buttons in (
            (Qt.AlignmentFlag.AlignLeading, self.buttons[:BUTTONS_BEFORE_MODEL]),
            (Qt.AlignmentFlag.AlignTrailing, self.buttons[BUTTONS_BEFORE_MODEL:]),
        ):
            row.addWidget(self._side(alignment, buttons), 1)

    def _side(self, alignment: Qt.AlignmentFlag, buttons: Sequence[IconButton]) -> QWidget:
        side = QWidget(self)
        row = QHBoxLayout(side)
        row.setContentsMargins(0, 0, 0, 0)
        row.setAlignment(alignment)
        for button in buttons:
            row.addWidget(button)
        return side

    @property
    def buttons(self) -> tuple[IconButton, ...]:
        """Every button."""
        return (
            *(self.sidebar_button, self.new_chat_button),
            *(self.benchmark_button, self.chat_settings_button, self.metrics_button),
        )

    def place_model(self, model: QWidget) -> None:
        """Put what shows the model into the middle."""
        self._row.insertWidget(MODEL_PLACE, model)

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


class Ground(QWidget):
    """Where a panel will be."""

    def __init__(self, color: str, least_width_px: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._color = QColor(color)
        self.setMinimumWidth(least_width_px)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint it."""
        painter = QPainter(self)
        painter.fillRect(event.rect(), self._color)
        painter.end()


class MainWindow(QMainWindow):
    """The one window.

    Signals:
        closing: the window is about to close.
        first_painted: the window has been painted for the first time.
        system_scheme_changed: the system went from light to dark, or back. Told to the window, so as to end with it.
    """

    closing = Signal()
    first_painted = Signal()
    system_scheme_changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self._painted = False
        self.setObjectName("mainWindow")
        self.setWindowTitle("First Token")
        self.setMinimumSize(*MINIMUM_SIZE_PX)
        self.resize(*DEFAULT_SIZE_PX)
        self.toolbar = Toolbar(theme, self)
        self.notices = NoticeBar(theme, self)
        self._splitter = PanelSplitter("mainSplitter", self)
        colors = theme.colors
        self._splitter.place(
            Ground(colors.sidebar, SIDEBAR_LEAST_PX),
            Ground(colors.page, CHAT_LEAST_PX),
            Ground(colors.window, METRICS_LEAST_PX),
            sizes_px=(SIDEBAR_PX, DEFAULT_SIZE_PX[0] - SIDEBAR_PX - METRICS_PX, METRICS_PX),
        )
        self._lay_out()

    def place(self, parts: Parts) -> None:
        """Put the panels on their grounds."""
        self.parts = parts
        self.toolbar.place_model(parts.model)
        self._splitter.replace(parts.sidebar, parts.chat, parts.metrics)
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

    def toggle_full_screen(self) -> None:
        """Fill the screen, or go back."""
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def toggle_maximized(self) -> None:
        """Make the window as large as the desktop allows, or as it was."""
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowMaximized)

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

    def _lay_out(self) -> None:
        content = QWidget(self)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.toolbar)
        column.addWidget(self.notices)
        column.addWidget(self._splitter, 1)
        self.setCentralWidget(content)
