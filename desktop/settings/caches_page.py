"""What models have read of the chats and is kept: how much may be, how much is, chat by chat, and forgetting it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path

import msgspec
from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QCheckBox, QDoubleSpinBox, QHBoxLayout, QLabel, QPushButton, QWidget

from desktop.settings.cache_rows import CacheRow, cache_rows
from desktop.settings.cache_table import CacheTable
from desktop.settings.page import Page
from desktop.settings.wheel_guard import WheelGuard
from desktop.state.chat_list_state import ChatListState
from desktop.state.kv_caches_state import KvCachesState
from desktop.state.settings_state import SettingsState
from desktop.tasks import Tasks
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption
from runtime.metrics.disk import free_bytes
from runtime.values.wording import bytes_text

GB = 10**9
AUTOMATIC_GB = -1.0
MOST_GB = 100_000.0


class CachesPage(Page):
    """Switch and budgets above, the list below."""

    def __init__(
        self,
        theme: Theme,
        settings: SettingsState,
        caches: KvCachesState,
        chats: ChatListState,
        tasks: Tasks,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, "cachesPage", parent)
        self._settings = settings
        self._caches = caches
        self._chats = chats
        self._tasks = tasks
        self._keep = QCheckBox(self)
        self._keep.setObjectName("keepKvCachesBox")
        self._memory = _budget_field("kvMemoryField", self)
        self._disk = _budget_field("kvDiskField", self)
        self._default = Caption(theme, parent=self)
        self._table = CacheTable(theme, self)
        self._empty = Caption(theme, parent=self)
        self._totals = QLabel(self)
        self._forget = self._button("forgetCachesButton", self.tr("Forget"), self.tr("Forget the chosen rows"))
        self._forget_all = self._button("forgetAllCachesButton", self.tr("Forget all"), self.tr("Forget all of it"))
        self._build()
        self._connect()
        self._show_settings()
        self._show_rows()

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        super().apply_theme(theme)
        self._table.apply_theme(theme)
        for caption in (self._default, self._empty):
            caption.apply_theme(theme)

    def refresh(self) -> None:
        """Look what is kept now."""
        self._start(self._caches.refresh(), "look what is kept of the chats")
        self._start(self._measure(), "measure the room on disk")

    def _button(self, name: str, text: str, tip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setAccessibleName(text)
        button.setToolTip(self.tr("{tip}; each chat is read once more when it goes on").format(tip=tip))
        button.setAutoDefault(False)
        return button

    def _build(self) -> None:
        guard = WheelGuard(self)
        for field in (self._memory, self._disk):
            field.setSpecialValueText(self.tr("Automatic"))
            field.setSuffix(self.tr(" GB"))
            guard.guard(field)
        self._default.setObjectName("kvDiskDefault")
        self._default.hide()
        self._empty.setObjectName("cachesEmpty")
        self._empty.setText(
            self.tr("Nothing is kept. After a reply, what the model has read of the chat stays in memory.")
        )
        self._totals.setObjectName("cachesTotals")
        self._totals.setAccessibleName(self.tr("What is kept takes"))
        self._add_budgets()
        listed = self.add_group(self.tr("What is kept"))
        foot = QWidget(self)
        row = QHBoxLayout(foot)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._totals, 1)
        row.addWidget(self._forget)
        row.addWidget(self._forget_all)
        for part in (self._empty, self._table, foot):
            listed.add(part)

    def _add_budgets(self) -> None:
        group = self.add_group(self.tr("So that no chat is read twice"))
        group.add_row(
            self.tr("In memory"),
            self.tr(
                "What chats that are kept warm may take. Automatic is one full context, and a quarter of what the model"
                " leaves free, at most 8 GB of that. Holds from the next model that is loaded."
            ),
            self._memory,
        )
        group.add_row(
            self.tr("Also on disk"),
            self.tr(
                "Long chats then go on at once after a restart, too. Only you can read the folder. Holds from the next"
                " model that is loaded."
            ),
            self._keep,
        )
        group.add_row(
            self.tr("Room on disk"),
            self.tr("What is worth least for what it takes goes first. Nothing is lost with it but time."),
            self._disk,
        )
        group.add(self._default)

    def _connect(self) -> None:
        self._settings.changed.connect(self._show_settings)
        self._caches.changed.connect(self._show_rows)
        self._chats.changed.connect(self._show_rows)
        self._keep.clicked.connect(lambda keep: self._change(keep_kv_caches=keep))
        self._memory.valueChanged.connect(lambda size: self._change(kv_memory_bytes=_bytes_of(size)))
        self._disk.valueChanged.connect(lambda size: self._change(kv_disk_bytes=_bytes_of(size)))
        self._table.chosen_changed.connect(self._show_what_can_be_done)
        self._table.forget_requested.connect(self._forget_chosen)
        self._forget.clicked.connect(self._forget_chosen)
        self._forget_all.clicked.connect(lambda: self._start(self._caches.forget_all(), "forget all KV caches"))

    def _show_settings(self) -> None:
        settings, error = self._settings.settings, self._settings.error
        self._keep.setChecked(settings.keep_kv_caches)
        for field, size in ((self._memory, settings.kv_memory_bytes), (self._disk, settings.kv_disk_bytes)):
            with QSignalBlocker(field):
                field.setValue(AUTOMATIC_GB if size is None else size / GB)
        self.groups[0].setEnabled(error is None)
        self._disk.setEnabled(settings.keep_kv_caches)

    def _show_rows(self) -> None:
        rows = cache_rows(self._caches, self._chats.chats)
        self._table.show_rows(rows)
        self._table.setVisible(bool(rows))
        self._empty.setVisible(not rows)
        self._totals.setText(self._totals_text(rows))
        self._show_what_can_be_done()

    def _totals_text(self, rows: tuple[CacheRow, ...]) -> str:
        if not rows:
            return ""
        return self.tr("{memory} in memory, {disk} on disk").format(
            memory=bytes_text(sum(row.memory_bytes for row in rows)),
            disk=bytes_text(sum(row.disk_bytes for row in rows)),
        )

    def _show_what_can_be_done(self) -> None:
        self._forget.setEnabled(bool(self._table.chosen))
        self._forget_all.setEnabled(bool(self._caches.kept or self._caches.stored))

    def _forget_chosen(self) -> None:
        if self._table.chosen:
            self._start(self._caches.forget(self._table.chosen), "forget KV caches")

    async def _measure(self) -> None:
        default_bytes = await asyncio.to_thread(_default_bytes, self._caches.folder)
        self._default.show_text(
            self.tr("Automatic is a tenth of what is free on the disk, at most 10 GB: {size} here.").format(
                size=bytes_text(default_bytes)
            )
        )

    def _change(self, **changes: int | bool | None) -> None:
        self._start(
            self._settings.change(lambda settings: msgspec.structs.replace(settings, **changes)), "change settings"
        )

    def _start(self, work: Coroutine[object, object, None], name: str) -> None:
        self._tasks.start(work, name)


def _budget_field(name: str, parent: QWidget) -> QDoubleSpinBox:
    field = QDoubleSpinBox(parent)
    field.setObjectName(name)
    field.setDecimals(1)
    field.setRange(AUTOMATIC_GB, MOST_GB)
    field.setKeyboardTracking(False)
    return field


def _bytes_of(size_gb: float) -> int | None:
    return None if size_gb < 0 else round(size_gb * GB)


def _default_bytes(folder: Path) -> int:
    from runtime.kv_store.eviction import default_budget_bytes  # noqa: PLC0415 - most days nobody looks
    from runtime.kv_store.folder import KvFolder  # noqa: PLC0415 - likewise

    return default_budget_bytes(free_bytes(folder), KvFolder(folder).size_bytes())
