"""The sidebar: a search field over the list of chats, with a menu on each chat."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from PySide6.QtCore import QModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QColor, QKeySequence, QPalette, QShortcut
from PySide6.QtWidgets import QFrame, QInputDialog, QLineEdit, QListView, QMenu, QPushButton, QVBoxLayout, QWidget

from desktop.conversations.row_model import RowModel
from desktop.conversations.row_painter import RowPainter
from desktop.conversations.rows import ChatRow, HitRow, chat_rows, hit_rows, text_to_mark
from desktop.state.chat_list_state import ChatListState
from desktop.state.kv_caches_state import KvCachesState
from desktop.tasks import Tasks
from desktop.theme.theme import Theme
from runtime.values.chat import ChatId

MARGIN_PX = 10
SEARCH_DELAY_MS = 120


class Sidebar(QWidget):
    """Shows the chats and what a search finds.

    Signals:
        chat_chosen: the user wants to see this chat.
        message_chosen: the user wants to see this message (chat, message), and in it this text.
        export_requested: the user wants this chat in a file.
    """

    chat_chosen = Signal(int)
    message_chosen = Signal(int, int, str)
    export_requested = Signal(int)

    def __init__(
        self,
        theme: Theme,
        chats: ChatListState,
        caches: KvCachesState,
        tasks: Tasks,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._chats = chats
        self._caches = caches
        self._tasks = tasks
        self._shown_chat: ChatId | None = None
        self._model = RowModel(self)
        self._painter = RowPainter(theme, self)
        self._search = QLineEdit(self)
        self._search_icon = QAction(self)
        self._list = QListView(self)
        self._delay = QTimer(self)
        self._build()
        self._connect()
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._painter.apply_theme(theme)
        self.setAutoFillBackground(True)
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Window, QColor(theme.colors.sidebar))
        palette.setColor(QPalette.ColorRole.Base, QColor(theme.colors.sidebar))
        self.setPalette(palette)
        self._list.setPalette(palette)
        field = self._search.palette()
        field.setColor(QPalette.ColorRole.Base, QColor(theme.colors.card))
        self._search.setPalette(field)
        self._search.setFont(theme.fonts.text(0.95))
        self._search_icon.setIcon(theme.icons.icon("search", theme.colors.muted))
        self._list.setFont(theme.fonts.text())
        self._list.scheduleDelayedItemsLayout()

    def show_chat(self, chat_id: ChatId | None) -> None:
        """Mark which chat is open."""
        self._shown_chat = chat_id
        index = self._model.index_of(chat_id) if chat_id is not None else QModelIndex()
        self._list.setCurrentIndex(index)
        if not index.isValid():
            self._list.clearSelection()

    def focus_search(self) -> None:
        """Put the cursor into the search field."""
        self._search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._search.selectAll()

    def _build(self) -> None:
        self.setObjectName("sidebar")
        self.setAccessibleName(self.tr("Chats"))
        self._search.setObjectName("searchField")
        self._search.setAccessibleName(self.tr("Search chats"))
        self._search.setPlaceholderText(self.tr("Search chats"))
        self._search.setClearButtonEnabled(True)
        self._search.addAction(self._search_icon, QLineEdit.ActionPosition.LeadingPosition)
        self._list.setObjectName("chatList")
        self._list.setAccessibleName(self.tr("Chats"))
        self._list.setModel(self._model)
        self._list.setItemDelegate(self._painter)
        self._list.setFrameShape(QFrame.Shape.NoFrame)
        self._list.setMouseTracking(True)
        self._list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._delay.setSingleShot(True)
        self._delay.setInterval(SEARCH_DELAY_MS)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, MARGIN_PX, 0, 0)
        top = QVBoxLayout()
        top.setContentsMargins(MARGIN_PX, 0, MARGIN_PX, 0)
        top.addWidget(self._search)
        column.addLayout(top)
        column.addWidget(self._list, 1)

    def _connect(self) -> None:
        self._chats.changed.connect(self._show_rows)
        self._chats.results_changed.connect(self._show_rows)
        self._caches.changed.connect(self._show_rows)
        self._search.textChanged.connect(lambda _: self._delay.start())
        self._delay.timeout.connect(self._run_search)
        self._list.clicked.connect(self._choose)
        self._list.activated.connect(self._choose)
        self._list.customContextMenuRequested.connect(self._open_menu)
        for keys, action in ((QKeySequence.StandardKey.Delete, self._delete), (Qt.Key.Key_F2, self._rename)):
            shortcut = QShortcut(QKeySequence(keys), self._list)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(action)

    def _show_rows(self) -> None:
        if self._chats.results is not None:
            self._model.set_rows(hit_rows(self._chats.results, self.tr))
            return
        today = date.today()  # noqa: DTZ011 - the user's own day
        self._model.set_rows(chat_rows(self._chats.chats, today, self.tr, self._caches.warmth_of))
        self.show_chat(self._shown_chat)

    def _run_search(self) -> None:
        self._tasks.start(self._chats.search(self._search.text()), "search chats")

    def _choose(self, index: QModelIndex) -> None:
        match self._model.row_at(index):
            case ChatRow(chat_id=chat_id):
                self.chat_chosen.emit(chat_id)
            case HitRow(chat_id=chat_id, message_id=None):
                self.chat_chosen.emit(chat_id)
            case HitRow(chat_id=chat_id, message_id=message_id, snippet=snippet):
                self.message_chosen.emit(chat_id, message_id, text_to_mark(self._search.text(), snippet))

    def _current(self) -> ChatRow | None:
        row = self._model.row_at(self._list.currentIndex())
        return row if isinstance(row, ChatRow) else None

    def _open_menu(self, position: QPoint) -> None:
        index = self._list.indexAt(position)
        row = self._model.row_at(index)
        if not isinstance(row, ChatRow):
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setObjectName("chatMenu")
        pin = self.tr("Unpin") if row.is_pinned else self.tr("Pin")

        def add(name: str, text: str, run: Callable[[], None]) -> None:
            menu.addAction(text, run).setObjectName(name)

        add("renameChatAction", self.tr("Rename…"), lambda: self._ask_title(row))
        add("pinChatAction", pin, lambda: self._pin(row))
        add("exportListedChatAction", self.tr("Export…"), lambda: self.export_requested.emit(row.chat_id))
        menu.addSeparator()
        add("deleteChatAction", self.tr("Delete"), lambda: self._remove(row))
        menu.popup(self._list.viewport().mapToGlobal(position))

    def _rename(self) -> None:
        row = self._current()
        if row is not None:
            self._ask_title(row)

    def _delete(self) -> None:
        row = self._current()
        if row is not None:
            self._remove(row)

    def _ask_title(self, row: ChatRow) -> None:
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setObjectName("renameDialog")
        dialog.setWindowTitle(self.tr("Rename chat"))
        dialog.setLabelText(self.tr("Title"))
        dialog.setTextValue(row.title)
        dialog.textValueSelected.connect(
            lambda title: self._tasks.start(self._chats.rename(row.chat_id, title), "rename chat")
        )
        dialog.open()  # Its parts are there from here on.
        for field in dialog.findChildren(QLineEdit):
            field.setObjectName("renameField")
            field.setAccessibleName(self.tr("Title"))
        for button in dialog.findChildren(QPushButton):
            button.setObjectName("renameAcceptButton" if button.isDefault() else "renameCancelButton")
            button.setAccessibleName(button.text().replace("&", ""))

    def _pin(self, row: ChatRow) -> None:
        self._tasks.start(self._chats.set_pinned(row.chat_id, is_pinned=not row.is_pinned), "pin chat")

    def _remove(self, row: ChatRow) -> None:
        self._tasks.start(self._chats.delete(row.chat_id), "delete chat")
