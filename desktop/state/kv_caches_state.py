"""What is kept of the chats, in memory and on disk, and so how warm each of them is.

Looked at when something may have changed, and never at intervals: after a reply, when a model comes or goes, when the
folder on disk changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.state.chat_list_state import ChatListState
from desktop.state.chat_state import ChatState
from desktop.state.engine_state import EngineState
from desktop.state.folder_watch import FolderWatch
from desktop.state.storage import Storage
from desktop.state.warmth import ChatWarmth, chat_warmth
from desktop.tasks import Tasks
from runtime.store.opening import OpenedStore
from runtime.store.reading_costs import LEAST_RATED_TOKENS
from runtime.values.chat import ChatId, ChatSummary
from runtime.values.errors import StoreError, UserFacingError
from runtime.values.generation import GenerationStats
from runtime.values.kv_cache import KeptCache
from runtime.values.model import LoadedModel

if TYPE_CHECKING:
    from runtime.kv_store.listing import KvListing, StoredCache

log = logging.getLogger("first-token")

SETTLE_MS = 250
"""Changes come in bursts: a reply ends, the list of chats is read, files are renamed."""


class CacheKey(NamedTuple):
    """A chat, by its key, as one model has read it; "" is whatever is of no chat."""

    conversation: str
    model: str


class KvCachesState(QObject):
    """Knows every KV cache.

    Signals:
        changed: something is kept where it was not before, or the other way round.

    Attributes:
        kept: what is in memory, of the model that is loaded.
        stored: what is on disk, of all models.
        folder: where that is.
    """

    changed = Signal()

    def __init__(
        self,
        engine: EngineState,
        chats: ChatListState,
        chat: ChatState,
        storage: Storage[OpenedStore],
        tasks: Tasks,
        folder: Path,
    ) -> None:
        super().__init__()
        self._engine = engine
        self._chats = chats
        self._chat = chat
        self._storage = storage
        self._tasks = tasks
        self.folder = folder
        self._listing: KvListing | None = None
        self._watcher = FolderWatch(self)
        self._contexts: dict[ChatId, tuple[int, int | None]] = {}
        self._speeds: dict[tuple[str, str], float | None] = {}
        self._undoable: set[str] = set()
        self._in_memory: dict[str, int] = {}
        self._on_disk: dict[str, list[StoredCache]] = {}
        self._at_work = asyncio.Lock()
        self._is_closed = False
        self.kept: tuple[KeptCache, ...] = ()
        self.stored: tuple[StoredCache, ...] = ()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(SETTLE_MS)
        self._soon.timeout.connect(lambda: tasks.start(self.refresh(), "look what is kept of the chats"))
        self._watcher.changed.connect(self._look_soon)
        engine.status_changed.connect(self._look_soon)
        chats.changed.connect(self._look_soon)
        chat.busy_changed.connect(self._look_soon)

    def warmth_of(self, chat: ChatSummary) -> ChatWarmth:
        """Return how warm a chat is for the model that is loaded; without one, whether anything of it is on disk."""
        model = self._engine.model
        in_memory = self._in_memory.get(chat.uid, 0)
        on_disk = max((one.tokens for one in self._on_disk.get(chat.uid, ()) if _serves(one, model)), default=0)
        _, context_tokens = self._contexts.get(chat.id, (0, None))
        speed = self._speeds.get(_key(model)) if model is not None else None
        if model is None and not on_disk:
            return ChatWarmth()
        return chat_warmth(context_tokens, in_memory, on_disk, speed)

    async def refresh(self) -> None:
        """Look what is kept now, in memory and on disk."""
        async with self._at_work:
            before = self.kept, self.stored, dict(self._contexts), dict(self._speeds)
            await self._look()
            doomed = await self._doomed()
            if doomed:
                await self._forget_in_memory(doomed)
                await asyncio.to_thread(_clear, self.folder, lambda of: of.conversation in doomed)
                await self._look()
            if not self._is_closed:
                self._watch()
        if before != (self.kept, self.stored, self._contexts, self._speeds):
            self.changed.emit()

    @property
    def model_name(self) -> str:
        """What the user calls the model whose caches are in memory; "" without one."""
        return self._engine.model.name if self._engine.model is not None else ""

    async def forget(self, keys: Collection[CacheKey]) -> None:
        """Delete what is kept of these chats by these models, in memory and on disk."""
        async with self._at_work:
            await self._forget_in_memory({key.conversation for key in keys if key.model == self.model_name})
            chosen = frozenset(keys)
            await asyncio.to_thread(_clear, self.folder, lambda of: of in chosen)
        await self.refresh()

    async def forget_all(self) -> None:
        """Delete everything that is kept."""
        async with self._at_work:
            await self._forget_in_memory([None])
            await asyncio.to_thread(_clear, self.folder, lambda _: True)
        await self.refresh()

    def keep_for_undo(self, uid: str) -> None:
        """Keep what there is of a chat that was deleted: it may come back."""
        self._undoable.add(uid)

    def give_up(self, uid: str) -> None:
        """The chat does not come back any more, or it has: look whether anything has to go."""
        self._undoable.discard(uid)
        self._look_soon()

    def close(self) -> None:
        """Look no more."""
        self._is_closed = True
        self._soon.stop()
        self._watcher.stop()

    def _look_soon(self) -> None:
        """Look when what goes on has settled; a reply under way ends in another change."""
        if not (self._chat.busy or self._is_closed):
            self._soon.start()

    async def _look(self) -> None:
        model = self._engine.model
        self.kept = await self._kept() if model is not None else ()
        self.stored = await asyncio.to_thread(self._read_disk)
        self._sort()
        try:
            await self._learn(model)
        except StoreError:
            log.warning("what chats cost to read is not known", exc_info=True)

    def _sort(self) -> None:
        """Put in order what there is of each chat."""
        self._in_memory, self._on_disk = {}, {}
        for kept in self.kept:
            self._in_memory[kept.conversation] = max(kept.tokens, self._in_memory.get(kept.conversation, 0))
        for stored in self.stored:
            self._on_disk.setdefault(stored.conversation, []).append(stored)

    async def _kept(self) -> tuple[KeptCache, ...]:
        try:
            return await self._engine.kept_caches()
        except UserFacingError:  # The worker is gone, and with it what it kept.
            return ()

    def _read_disk(self) -> tuple[StoredCache, ...]:
        if self._listing is None and not _holds_anything(self.folder):
            return ()
        from runtime.kv_store.folder import KvFolder  # noqa: PLC0415 - loads a library of three megabytes
        from runtime.kv_store.listing import KvListing  # noqa: PLC0415 - likewise

        self._listing = self._listing or KvListing(KvFolder(self.folder))
        return self._listing.read()

    async def _learn(self, model: LoadedModel | None) -> None:
        """Learn how long the chats are that have changed, and how fast the model reads."""
        chats = {chat.id: chat.updated_unix_ms for chat in self._chats.chats}
        news = [number for number, updated in chats.items() if self._contexts.get(number, (0, 0))[0] != updated]
        if news:
            found = await self._storage.run(lambda opened: opened.store.costs.contexts(news))
            self._contexts |= {number: (chats[number], found.get(number)) for number in news}
        self._note_speed(self._chat.path[-1].stats if self._chat.path else None)
        if model is not None and _key(model) not in self._speeds:
            name, engine = _key(model)
            self._speeds[name, engine] = await self._storage.run(
                lambda opened: opened.store.costs.ms_per_token(name, engine)
            )

    def _note_speed(self, stats: GenerationStats | None) -> None:
        if stats is None or stats.ttft_parts is None:
            return
        evaluated = stats.prompt_tokens - stats.cached_tokens
        if evaluated >= LEAST_RATED_TOKENS:
            self._speeds[stats.model, stats.engine.value] = stats.ttft_parts.prefill_ms / evaluated

    async def _doomed(self) -> set[str]:
        """Return the keys of chats of which something is kept though they are deleted for good."""
        conversations = self._in_memory.keys() | self._on_disk.keys()
        strangers = conversations - {chat.uid for chat in self._chats.chats} - self._undoable - {""}
        if not strangers:
            return set()
        try:
            return strangers & await self._storage.run(lambda opened: opened.store.chats.deleted_uids())
        except StoreError:
            log.warning("which chats are deleted is not known", exc_info=True)
            return set()

    async def _forget_in_memory(self, conversations: Collection[str | None]) -> None:
        """Have the worker forget; to be done before the disk is cleared, as it might write once more."""
        for conversation in conversations:
            with suppress(UserFacingError):  # The worker is gone, and with it what it kept.
                await self._engine.forget_caches(conversation)

    def _watch(self) -> None:
        """Be told when the folder changes; while it is not there, when it comes."""
        with suppress(OSError):  # Then there is nothing to be told of.
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self._watcher.watch(self.folder if self.folder.is_dir() else self.folder.parent)


def _key(model: LoadedModel) -> tuple[str, str]:
    return model.name, model.engine.value


def _serves(stored: StoredCache, model: LoadedModel | None) -> bool:
    """Return whether a cache on disk is of use to `model`, as far as its record tells; without one, to any."""
    of_model = stored.model, stored.engine, stored.engine_version
    return model is None or of_model == (model.name, model.engine.value, model.engine_version)


def _holds_anything(folder: Path) -> bool:
    """Return whether there is more in a folder than locks, which are empty."""
    try:
        return any(file.stat().st_size for file in folder.iterdir())
    except OSError:
        return False


def _clear(folder: Path, is_meant: Callable[[CacheKey], bool]) -> None:
    if not folder.is_dir():
        return
    from runtime.kv_store.folder import KvFolder  # noqa: PLC0415 - nothing of it at the start
    from runtime.kv_store.listing import model_name_of  # noqa: PLC0415 - likewise

    KvFolder(folder).clear(lambda entry: is_meant(CacheKey(entry.record.conversation, model_name_of(entry))))
