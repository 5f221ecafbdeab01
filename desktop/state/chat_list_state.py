"""The list of chats, and what a search among them finds."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from desktop.state.storage import Storage
from runtime.store.opening import OpenedStore
from runtime.values.chat import ChatId, ChatSummary, SearchResults


class ChatListState(QObject):
    """Knows every chat's title and date.

    Signals:
        changed: `chats` is new.
        results_changed: `results` is new; None when nothing is searched for.
        deleted: carries the `ChatSummary` of a chat that was deleted, for an offer to undo.
    """

    changed = Signal()
    results_changed = Signal()
    deleted = Signal(object)

    def __init__(self, storage: Storage[OpenedStore], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._storage = storage
        self._query = ""
        self.chats: tuple[ChatSummary, ...] = ()
        self.results: SearchResults | None = None

    async def refresh(self) -> None:
        """Read the list anew, and the search with it."""
        self.chats = await self._storage.run(lambda opened: opened.store.chats.summaries())
        self.changed.emit()
        if self._query:
            await self.search(self._query)

    async def search(self, query: str) -> None:
        """Find chats and messages that hold every word of `query`; an empty one ends the search."""
        self._query = query
        results = await self._storage.run(lambda opened: opened.store.search.find(query)) if query.strip() else None
        if query == self._query:  # A later search has overtaken this one otherwise.
            self.results = results
            self.results_changed.emit()

    async def rename(self, chat_id: ChatId, title: str) -> None:
        """Give a chat another title."""
        await self._storage.run(lambda opened: opened.store.chats.rename(chat_id, title))
        await self.refresh()

    async def set_pinned(self, chat_id: ChatId, *, is_pinned: bool) -> None:
        """Keep a chat at the top of the list, or let it go."""
        await self._storage.run(lambda opened: opened.store.chats.set_pinned(chat_id, is_pinned=is_pinned))
        await self.refresh()

    async def delete(self, chat_id: ChatId) -> None:
        """Take a chat out of the list; `restore` brings it back."""
        chat = next((chat for chat in self.chats if chat.id == chat_id), None)
        await self._storage.run(lambda opened: opened.store.chats.delete(chat_id))
        await self.refresh()
        if chat is not None:
            self.deleted.emit(chat)

    async def restore(self, chat_id: ChatId) -> None:
        """Undo `delete`."""
        await self._storage.run(lambda opened: opened.store.chats.restore(chat_id))
        await self.refresh()
