"""System prompt and sampler settings of the open chat, and the presets they can be taken from."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from desktop.state.chat_state import ChatState
from desktop.state.storage import Storage
from runtime.store.opening import OpenedStore
from runtime.values.chat import Chat, ChatId, Preset
from runtime.values.sampling import SamplingParams, checked


class ChatSettingsState(QObject):
    """Changes the open chat's settings and keeps presets.

    Signals:
        presets_changed: `presets` is new.
        other_chat_opened: another chat is open now, with settings of its own.
    """

    presets_changed = Signal()
    other_chat_opened = Signal()

    def __init__(self, chat: ChatState, storage: Storage[OpenedStore], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._chat = chat
        self._storage = storage
        self._shown: ChatId | None = chat.chat.id if chat.chat else None
        self.presets: tuple[Preset, ...] = ()
        chat.chat_changed.connect(self._note_chat)

    @property
    def system_prompt(self) -> str:
        """What precedes the open chat."""
        return self._chat.chat.system_prompt if self._chat.chat else ""

    @property
    def sampling(self) -> SamplingParams:
        """How tokens are chosen in the open chat."""
        return self._chat.chat.sampling if self._chat.chat else SamplingParams()

    async def apply(self, system_prompt: str, sampling: SamplingParams) -> None:
        """Give the open chat these from its next reply on.

        Raises:
            InvalidRequestError: a value is out of range; nothing was changed.
            StoreError: it could not be stored.
        """
        checked(sampling)
        if (system_prompt, sampling) == (self.system_prompt, self.sampling):
            return  # A new chat is not stored for nothing.

        def write(opened: OpenedStore, chat_id: ChatId) -> None:
            opened.store.chats.set_sampling(chat_id, sampling)
            opened.store.chats.set_system_prompt(chat_id, system_prompt)

        await self._chat.change(write)

    async def refresh_presets(self) -> None:
        """Read the presets anew."""
        self.presets = await self._storage.run(lambda opened: opened.store.presets.all())
        self.presets_changed.emit()

    async def save_preset(self, preset: Preset) -> Preset:
        """Keep a preset, in place of one of the same name, and return it as it was kept.

        Raises:
            InvalidRequestError: the name is empty or a value out of range.
            StoreError: it could not be stored.
        """
        kept = await self._storage.run(lambda opened: opened.store.presets.save(preset))
        await self.refresh_presets()
        return kept

    async def delete_preset(self, name: str) -> None:
        """Forget a preset."""
        await self._storage.run(lambda opened: opened.store.presets.delete(name))
        await self.refresh_presets()

    def _note_chat(self, chat: Chat | None) -> None:
        """A new chat that is being stored stays the same chat."""
        shown = chat.id if chat else None
        is_other = self._shown is not None and shown != self._shown
        self._shown = shown
        if is_other:
            self.other_chat_opened.emit()
