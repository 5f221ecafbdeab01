"""Chats into files and out of them: Markdown for reading, JSON with every branch for importing again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Signal

from desktop.state.chat_list_state import ChatListState
from desktop.state.storage import Storage
from runtime.store.markdown_export import MarkdownLabels, markdown_of
from runtime.store.opening import OpenedStore, Store
from runtime.store.transfer import export_json, import_json, read_file, write_file
from runtime.values.chat import ChatId


class ExportFormat(StrEnum):
    """The files a chat can go into, by their suffix."""

    MARKDOWN = "md"
    JSON = "json"


class TransferState(QObject):
    """Exports and imports chats. Reads and writes files off the window's thread, all of a file or nothing.

    Signals:
        exported: chats are in a file; carries its `Path`.
        imported: chats were added; carries their ids.
    """

    exported = Signal(object)
    imported = Signal(object)

    def __init__(self, storage: Storage[OpenedStore], chats: ChatListState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._storage = storage
        self._chats = chats

    async def export_chat(self, chat_id: ChatId, file: Path, file_format: ExportFormat) -> None:
        """Write one chat: as Markdown the versions that are shown, as JSON all of them.

        Raises:
            StoreError: the chat cannot be read or the file not written; a file that was there is as it was.
        """
        match file_format:
            case ExportFormat.MARKDOWN:
                labels = _labels()
                await self._write(file, lambda store: _markdown(store, chat_id, labels))
            case ExportFormat.JSON:
                await self._write(file, lambda store: export_json(store, (chat_id,)))

    async def export_all(self, file: Path) -> None:
        """Write every chat, as JSON.

        Raises:
            StoreError: as `export_chat`.
        """
        await self._write(file, lambda store: export_json(store, tuple(chat.id for chat in store.chats.summaries())))

    async def import_file(self, file: Path) -> tuple[ChatId, ...]:
        """Add the chats of an exported JSON file, all of them or none, and return them.

        Raises:
            StoreError: the file cannot be read, is no export, or the chats cannot be stored.
        """
        content = await asyncio.to_thread(read_file, file)
        chat_ids = await self._storage.run(lambda opened: import_json(opened.store, content))
        await self._chats.refresh()
        self.imported.emit(chat_ids)
        return chat_ids

    async def _write(self, file: Path, export: Callable[[Store], bytes]) -> None:
        content = await self._storage.run(lambda opened: export(opened.store))
        await asyncio.to_thread(write_file, file, content)
        self.exported.emit(file)


def _markdown(store: Store, chat_id: ChatId, labels: MarkdownLabels) -> bytes:
    return markdown_of(store.chats.get(chat_id), store.messages.current_path(chat_id), labels).encode()


def _labels() -> MarkdownLabels:
    """Return the words around a chat in the window's language."""
    translate = QCoreApplication.translate
    return MarkdownLabels(
        untitled=translate("MarkdownExport", "Untitled chat"),
        system_prompt=translate("MarkdownExport", "System prompt"),
        user=translate("MarkdownExport", "You"),
        assistant=translate("MarkdownExport", "Assistant"),
        reasoning=translate("MarkdownExport", "Reasoning"),
        stopped=translate("MarkdownExport", "Stopped here by the user."),
        interrupted=translate("MarkdownExport", "Interrupted here."),
        failed=translate("MarkdownExport", "Failed here"),
        streaming=translate("MarkdownExport", "Still being written."),
    )
