"""How full the context of the open chat is: which messages the model is not sent, and what comes with the next one.

It is looked at when something changes, never while nothing does, and tokens are counted only where the conversation is
so long that it may not fit.
"""

from __future__ import annotations

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.state.chat_state import ChatState
from desktop.state.engine_state import EngineState, EngineStatus, Serving
from desktop.state.settings_state import SettingsState
from desktop.tasks import Tasks
from runtime.client.context_window import ContextOutlook
from runtime.config.settings import Settings
from runtime.values.chat import Chat, ChatMessage, MessageId, MessageState
from runtime.values.context_end import ContextEnd
from runtime.values.errors import UserFacingError


class ContextState(QObject):
    """Watches the open chat, the model and the settings.

    Signals:
        changed: what is known here is new.

    Attributes:
        chat: the open chat.
        outlook: how full the context is; None while that is not known.
        last_left_out: the newest message that the model was not sent; None where it was sent all of them.
        last_left_out_next: the newest message that it will not be sent with the next one.
    """

    changed = Signal()

    def __init__(
        self,
        chat: ChatState,
        engine: EngineState,
        settings: SettingsState,
        tasks: Tasks,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.chat = chat
        self._settings = settings
        self._tasks = tasks
        self._draft = ""
        self._is_looking = False
        self._is_stale = False
        self._gone_on: tuple[MessageId, int] | None = None
        self._at_context_end = settings.settings.at_context_end
        self.outlook: ContextOutlook | None = None
        self.last_left_out: MessageId | None = None
        self.last_left_out_next: MessageId | None = None
        chat.path_reset.connect(self._look)
        chat.message_added.connect(self._note_message)
        chat.message_changed.connect(self._note_message)
        chat.chat_changed.connect(self._note_chat)
        engine.status_changed.connect(self._note_engine)
        settings.changed.connect(self._note_settings)

    @property
    def drops_oldest(self) -> bool:
        """Whether the oldest messages are left out of what does not fit, rather than the chat ended."""
        return self.chat.context_fit.drops_oldest

    def choose(self, at_context_end: ContextEnd) -> None:
        """Have this happen at the end of the context from now on, and remember it."""

        def update(settings: Settings) -> Settings:
            return msgspec.structs.replace(settings, at_context_end=at_context_end)

        self._tasks.start(self._settings.change(update), "change settings")

    def note_draft(self, text: str) -> None:
        """Take what is written of the next message."""
        if text != self._draft:
            self._draft = text
            self._look()

    # what changes

    def _note_message(self, _message: ChatMessage) -> None:
        self._look()

    def _note_chat(self, _chat: Chat | None) -> None:
        self._look()

    def _note_engine(self, status: EngineStatus) -> None:
        if isinstance(status, Serving):
            self._look()
        elif self.outlook is not None:
            self._show(None, ())

    def _note_settings(self) -> None:
        now = self._settings.settings.at_context_end
        if now is not self._at_context_end:
            self._at_context_end = now
            self._look()

    def _look(self, _path: object = None) -> None:
        """Look anew; while that is done already, once more after it."""
        self._is_stale = True
        if not self._is_looking:
            self._is_looking = True
            self._tasks.start(self._look_until_fresh(), "look how full the context is")

    async def _look_until_fresh(self) -> None:
        try:
            while self._is_stale:
                self._is_stale = False
                path = self.chat.path
                goes_on = bool(path) and path[-1].state is MessageState.STREAMING and bool(path[-1].text)
                try:
                    outlook = await self.chat.context_fit.outlook(self.chat.prompt, self._draft, goes_on=goes_on)
                except UserFacingError:  # What cannot be counted cannot be told; asking the model will say why.
                    outlook = None
                if outlook is not None and path and goes_on:
                    self._gone_on = path[-1].id, outlook.left_out
                if not self._is_stale:
                    self._show(outlook, path)
        finally:
            self._is_looking = False

    def _show(self, outlook: ContextOutlook | None, path: tuple[ChatMessage, ...]) -> None:
        said = [message.id for message in path if message.text or message.state is MessageState.STREAMING]
        left_out = outlook.left_out if outlook is not None else 0
        if outlook is not None and self._gone_on is not None and path and self._gone_on[0] == path[-1].id:
            left_out = max(left_out, self._gone_on[1])
        following = max(left_out, outlook.left_out_next) if outlook is not None else 0
        shown = (
            outlook,
            said[left_out - 1] if left_out else None,
            said[following - 1] if following > left_out else None,
        )
        if shown != (self.outlook, self.last_left_out, self.last_left_out_next):
            self.outlook, self.last_left_out, self.last_left_out_next = shown
            self.changed.emit()
