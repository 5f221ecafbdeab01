"""One run of the window, from the first paint to the last commit."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from desktop.chat.chat_panel import ChatPanel
from desktop.main_window import MainWindow
from desktop.state.bench_start import BenchStart
from desktop.state.chat_list_state import ChatListState
from desktop.state.chat_state import ChatState
from desktop.state.context_state import ContextState
from desktop.state.draft_aside import DraftAside
from desktop.state.engine_state import EngineState
from desktop.state.installed_state import InstalledState
from desktop.state.kv_caches_state import KvCachesState
from desktop.state.library_start import LibraryStart
from desktop.state.metrics_state import MetricsState
from desktop.state.preferences import PreferencesState
from desktop.state.remembered import WindowMemory
from desktop.state.settings_state import SettingsState
from desktop.state.storage import Storage
from desktop.tasks import Tasks
from runtime.store.opening import OpenedStore
from runtime.values.errors import StoreError

if TYPE_CHECKING:
    from desktop.state.crash_state import CrashState
    from desktop.state.update_state import UpdateState


class States(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the window knows; what most days need not is made when it is first asked for."""

    storage: Storage[OpenedStore]
    tasks: Tasks
    preferences: PreferencesState
    settings: SettingsState
    engine: EngineState
    installed: InstalledState
    library: LibraryStart
    bench: BenchStart
    chats: ChatListState
    chat: ChatState
    context: ContextState
    metrics: MetricsState
    caches: KvCachesState
    crashes: Callable[[], CrashState]
    updates: Callable[[], UpdateState]


class Session:
    """Starts what the window needs once it is shown, and ends it in order."""

    def __init__(self, states: States, window: MainWindow, chat_panel: ChatPanel, aside: DraftAside) -> None:
        self._states = states
        self._window = window
        self._chat_panel = chat_panel
        self._aside = aside
        self._closing = asyncio.Event()
        self._is_restored = False
        window.closing.connect(self._closing.set)

    async def run(self) -> None:
        """Show the window, serve it until it closes, and leave nothing behind."""
        states = self._states
        await self._restore_looks()
        self._window.show()
        states.tasks.start(self._load_model(), "load the model")
        states.tasks.start(self._restore_chats(), "restore the chats")
        states.tasks.start(states.installed.refresh(), "look for models")
        states.tasks.start(states.library.go_on(), "go on with the downloads")
        self._chat_panel.composer.focus()
        # What exists now lives as long as the window; leaving it out keeps every later collection short.
        gc.freeze()
        await self._closing.wait()
        await self._close()

    async def _restore_looks(self) -> None:
        try:
            await self._states.preferences.load()
        except StoreError as error:
            self._window.notices.show_error(f"{error.what} {error.next_step}")
        memory = self._states.preferences.memory
        aside = await asyncio.to_thread(self._aside.read)
        self._states.chat.new_draft = "\n\n".join(filter(None, (memory.new_draft, aside)))
        self._states.chat.start_new()
        self._window.restore_layout(memory.geometry, memory.layout)

    async def _load_model(self) -> None:
        """Load the model that was used last; the demo model on the first start."""
        await self._states.settings.load()
        name = self._states.preferences.memory.model_name or self._states.settings.settings.default_model
        await self._states.engine.load(name)

    async def _restore_chats(self) -> None:
        states = self._states
        try:
            await states.chats.refresh()
        except StoreError:
            self._chat_panel.draft_changed.connect(lambda _chat, draft: self._aside.keep(draft))
            raise
        damage = await states.storage.run(lambda opened: opened.damage)
        if damage is not None:
            self._window.notices.show_error(
                self._window.tr(
                    "The chat database was damaged ({reason}). It is kept as {path}; {count} chats were saved from it."
                ).format(reason=damage.reason, path=damage.kept_aside, count=damage.salvaged_chats)
            )
        last = states.preferences.memory.chat_id
        is_untouched = states.chat.chat is None and not states.chat.busy
        if is_untouched and last is not None and any(chat.id == last for chat in states.chats.chats):
            await states.chat.open(last)
        self._is_restored = True
        states.chat.chat_changed.connect(lambda _: self._remember())
        self._chat_panel.draft_changed.connect(lambda _chat, _draft: self._remember())

    def _remember(self) -> None:
        """Keep for the next start what would be lost if the app were killed."""
        self._states.preferences.remember(self._memory())

    async def _close(self) -> None:
        """Stop the reply, keep what is not sent, remember the window, end worker and database."""
        states = self._states
        states.chat.stop()
        # First of all: what has been measured is kept, and its workers end while the rest is saved.
        await states.bench.close()
        await states.chat.wait_until_idle()
        try:
            chat = states.chat.chat
            await states.chat.save_draft(chat.id if chat is not None else None, self._chat_panel.draft)
            states.preferences.memory = self._memory()
            await states.preferences.save()
        except StoreError as error:
            await asyncio.to_thread(self._aside.keep, self._chat_panel.draft)
            self._states.tasks.failed.emit(error)
        else:
            await asyncio.to_thread(self._aside.forget)
        states.caches.close()
        await states.tasks.close()
        await states.library.close()
        await states.engine.close()
        await states.storage.close(lambda opened: opened.store.close())

    def _memory(self) -> WindowMemory:
        chat = self._states.chat.chat
        before = self._states.preferences.memory
        return WindowMemory(
            geometry=bytes(self._window.saveGeometry().data()),
            layout=self._window.saved_layout(),
            chat_id=chat.id if chat is not None else None if self._is_restored else before.chat_id,
            model_name=self._states.engine.model_name,
            new_draft=self._chat_panel.draft if chat is None else self._states.chat.new_draft,
        )
