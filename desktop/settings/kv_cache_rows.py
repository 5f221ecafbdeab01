"""The switch for KV caches on disk, how much lies there, and the button that deletes it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QWidget

from desktop.settings.page import Group
from desktop.state.settings_state import SettingsState
from desktop.tasks import Tasks
from runtime.values.wording import bytes_text


class KvCacheRows(QWidget):
    """Two rows of a group: whether to keep caches, and deleting them."""

    def __init__(self, settings: SettingsState, tasks: Tasks, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._tasks = tasks
        self._folder = folder
        self._keep = QCheckBox(self)
        self._keep.setObjectName("keepKvCachesBox")
        self._size = QLabel(self)
        self._size.setObjectName("kvCachesSize")
        self._size.setAccessibleName(self.tr("Size of the KV caches on disk"))
        self._delete = QPushButton(self.tr("Delete"), self)
        self._delete.setObjectName("deleteKvCachesButton")
        self._delete.setAccessibleName(self.tr("Delete the KV caches"))
        self._delete.setToolTip(self.tr("Delete them; each chat is read once more when it goes on"))
        self._delete.setAutoDefault(False)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._size)
        row.addWidget(self._delete)
        self._keep.clicked.connect(self._choose)
        self._delete.clicked.connect(lambda: self._tasks.start(self._clear(), "delete KV caches"))
        settings.changed.connect(self._show)
        self._show()

    def add_to(self, group: Group) -> None:
        """Put the rows into a group."""
        group.add_row(
            self.tr("Keep what models have read"),
            self.tr("Long chats then go on at once after a restart. Takes effect with the next model that is loaded."),
            self._keep,
        )
        group.add_row(
            self.tr("KV caches on disk"),
            self.tr("Only you can read the folder. Nothing is lost with them but time."),
            self,
        )

    def refresh(self) -> None:
        """Look how much lies there."""
        self._tasks.start(self._measure(), "measure KV caches")

    def _choose(self, keep: bool) -> None:  # noqa: FBT001 - a Qt slot
        self._tasks.start(
            self._settings.change(lambda settings: msgspec.structs.replace(settings, keep_kv_caches=keep)),
            "change settings",
        )

    def _show(self) -> None:
        self._keep.setChecked(self._settings.settings.keep_kv_caches)

    async def _measure(self) -> None:
        size_bytes = await asyncio.to_thread(_size_bytes, self._folder)
        self._size.setText(bytes_text(size_bytes))
        self._delete.setEnabled(size_bytes > 0)

    async def _clear(self) -> None:
        self._delete.setEnabled(False)
        await asyncio.to_thread(_clear, self._folder)
        await self._measure()


def _size_bytes(folder: Path) -> int:
    from runtime.kv_store.folder import KvFolder  # noqa: PLC0415 - most days nobody looks

    return KvFolder(folder).size_bytes()


def _clear(folder: Path) -> None:
    from runtime.kv_store.folder import KvFolder  # noqa: PLC0415 - most days nobody looks

    KvFolder(folder).clear()
