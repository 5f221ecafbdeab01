"""The list of chats in a test: what it shows, and what a person does there."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QInputDialog, QLineEdit, QListView, QMenu

from tests.desktop.window.opened_window import OpenedWindow, until


class Sidebar:
    """The sidebar of an open window."""

    def __init__(self, window: OpenedWindow) -> None:
        self._window = window
        self.list = window.find(QListView, "chatList")
        self.search = window.find(QLineEdit, "searchField")

    @property
    def rows(self) -> list[str]:
        """Everything listed, headings included."""
        return [str(index.data()) for index in self._indexes()]

    @property
    def titles(self) -> list[str]:
        """What can be chosen."""
        return [str(index.data()) for index in self._indexes() if index.flags() & Qt.ItemFlag.ItemIsEnabled]

    @property
    def current(self) -> str:
        """The row that is marked as open."""
        return str(self.list.currentIndex().data() or "")

    async def click(self, title: str) -> None:
        """Click a row and wait until what it leads to is shown."""
        QTest.mouseClick(self.list.viewport(), Qt.MouseButton.LeftButton, pos=self._spot(title))
        await self._window.idle(f"chat {title}")

    async def choose(self, title: str, action: str) -> None:
        """Choose from the menu of a row."""
        self.list.customContextMenuRequested.emit(self._spot(title))
        menu = self._window.find(QMenu, "chatMenu")
        (entry,) = menu.findChildren(QAction, action)
        entry.trigger()
        menu.close()
        menu.deleteLater()
        await self._window.idle(f"{action} of {title}")

    async def rename_current(self, title: str) -> None:
        """Press F2, write another title, press Enter."""
        self._window.widget.activateWindow()  # Without a window manager, nobody does after a dialog.
        self.list.setFocus()
        await until(self.list.hasFocus, "focus on the list")
        self._window.press(Qt.Key.Key_F2, where=self.list)
        dialog = self._window.find(QInputDialog, "renameDialog")
        field = self._window.find(QLineEdit, "renameField")
        field.selectAll()
        QTest.keyClicks(field, title)
        self._window.press(Qt.Key.Key_Return, where=field)
        await until(lambda: not dialog.isVisible(), "end of the dialog")
        await self._window.idle("new title")

    async def look_for(self, query: str) -> None:
        """Type into the search field and wait for what is found."""
        self.search.selectAll()
        self._window.press(Qt.Key.Key_Backspace, where=self.search)
        QTest.keyClicks(self.search, query)
        chats, before = self._window.states.chats, self._window.states.chats.results
        await until(lambda: chats.results is not before and (chats.results is not None) == bool(query), "hits")

    def _indexes(self) -> list[QModelIndex]:
        model = self.list.model()
        return [model.index(row, 0) for row in range(model.rowCount())]

    def _spot(self, title: str) -> QPoint:
        index = next(index for index in self._indexes() if index.data() == title)
        self.list.scrollTo(index)
        return self.list.visualRect(index).center()
