"""The chat that is open: its messages, and everything a person does to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter_ns

import msgspec
from PySide6.QtCore import QObject, Signal

from desktop.state.engine_state import EngineState
from desktop.state.metrics_state import MetricsState
from desktop.state.reply_run import ReplyRun
from desktop.state.storage import Storage
from runtime.store.opening import OpenedStore
from runtime.store.replies import ReplyWriter
from runtime.values.chat import Chat, ChatId, ChatMessage, MessageId
from runtime.values.errors import ContextOverflowError, FirstTokenError, report_of
from runtime.values.generation import GenerateRequest, TextKind
from runtime.values.model import LoadedModel
from runtime.values.prompt import ChatPrompt, Message, Role

Path = tuple[ChatMessage, ...]


class ChatState(QObject):
    """Holds the open chat.

    Signals:
        chat_changed: carries the `Chat`, None for a new one that has no message yet.
        path_reset: the messages shown are others now; carries them all.
        message_added: carries a `ChatMessage` that follows the last one; in state `streaming` if it is a reply.
        text_arrived: id of the reply, new text, its `TextKind`.
        message_changed: carries a `ChatMessage` that is already shown.
        message_deleted: carries the id, for an offer to undo.
        busy_changed: whether a reply is under way.
        chats_changed: a title, an order or a number of chats changed.
    """

    chat_changed = Signal(object)
    path_reset = Signal(object)
    message_added = Signal(object)
    text_arrived = Signal(int, str, object)
    message_changed = Signal(object)
    message_deleted = Signal(int)
    busy_changed = Signal(bool)
    chats_changed = Signal()

    def __init__(
        self,
        storage: Storage[OpenedStore],
        engine: EngineState,
        metrics: MetricsState,
        clock_ns: Callable[[], int] = perf_counter_ns,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._storage = storage
        self._engine = engine
        self._metrics = metrics
        self._clock_ns = clock_ns
        self._run: ReplyRun | None = None
        self._busy = False
        self._idle = asyncio.Event()
        self.chat: Chat | None = None
        self.path: Path = ()

    @property
    def busy(self) -> bool:
        """Whether a reply is under way."""
        return self._busy

    async def open(self, chat_id: ChatId) -> None:
        """Show another chat; a reply under way goes on to its end in the one it belongs to."""
        if self._run is not None:
            await self._run.flush()
        chat, path = await self._storage.run(
            lambda opened: (opened.store.chats.get(chat_id), opened.store.messages.current_path(chat_id))
        )
        self._show(chat, path)

    def start_new(self) -> None:
        """Show an empty chat; it is stored with its first message."""
        self._show(None, ())

    async def send(self, text: str) -> bool:
        """Add what the user wrote and answer it; return whether it was sent.

        White space alone is not sent, nor anything while a reply is under way.

        Raises:
            ContextOverflowError: it does not fit the context; nothing was sent or stored.
            StoreError: it could not be stored; nothing was sent.
        """
        if not text.strip() or self._busy:
            return False
        submitted_ns = self._clock_ns()
        self._set_busy(busy=True)
        try:
            await self._check_fits(text)
            await self._ask(self.path[-1].id if self.path else None, text, submitted_ns)
        finally:
            self._set_busy(busy=False)
        return True

    def stop(self) -> None:
        """End the reply under way; what there is of it stays."""
        if self._run is not None:
            self._run.cancel()

    async def regenerate(self, message_id: MessageId) -> None:
        """Answer again where `message_id` is a reply; the earlier versions stay, as branches."""
        await self._again(self._message(message_id).parent_id)

    async def edit(self, message_id: MessageId, text: str) -> None:
        """Put another version beside the user's message `message_id`, and answer that one."""
        if not text.strip() or self._busy:
            return
        submitted_ns = self._clock_ns()
        self._set_busy(busy=True)
        try:
            await self._check_fits(text)
            await self._ask(self._message(message_id).parent_id, text, submitted_ns)
        finally:
            self._set_busy(busy=False)

    async def resume(self, message_id: MessageId) -> None:
        """Go on with a reply that ended early, after its last character."""
        if self._busy:
            return
        submitted_ns = self._clock_ns()
        self._set_busy(busy=True)
        try:
            chat, prompt = await self._stored_chat(), self._prompt(through=message_id)
            writer = await self._storage.run(lambda opened: opened.store.replies.resume(message_id))
            await self._reload(chat)
            await self._write_reply(chat, writer, prompt, submitted_ns)
        finally:
            self._set_busy(busy=False)

    async def step_branch(self, message_id: MessageId, step: int) -> None:
        """Show the version `step` places after this one, as far as there are any."""
        if self._busy:
            return
        message = self._message(message_id)
        index = min(len(message.sibling_ids) - 1, max(0, message.sibling_index + step))
        path = await self._storage.run(lambda opened: opened.store.messages.select(message.sibling_ids[index]))
        self._set_path(path)

    async def delete(self, message_id: MessageId) -> None:
        """Take a message and what follows it out of the chat."""
        if self._busy:
            return
        chat = await self._stored_chat()
        await self._storage.run(lambda opened: opened.store.messages.delete(message_id))
        await self._reload(chat)
        self.message_deleted.emit(message_id)

    async def restore(self, message_id: MessageId) -> None:
        """Undo `delete`."""
        chat = await self._stored_chat()
        await self._storage.run(lambda opened: opened.store.messages.restore(message_id))
        await self._reload(chat)

    async def lead_to(self, message_id: MessageId) -> None:
        """Show the branch that `message_id` is on."""
        if all(message.id != message_id for message in self.path):
            self._set_path(await self._storage.run(lambda opened: opened.store.messages.select(message_id)))

    async def save_draft(self, draft: str) -> None:
        """Keep what is written but not sent; that of a chat without any message is not kept."""
        if self.chat is not None and draft != self.chat.draft:
            chat_id = self.chat.id
            self.chat = msgspec.structs.replace(self.chat, draft=draft)
            await self._storage.run(lambda opened: opened.store.chats.save_draft(chat_id, draft))

    async def wait_until_idle(self) -> None:
        """Wait until no reply is under way."""
        while self._busy:
            await self._idle.wait()

    async def change(self, write: Callable[[OpenedStore, ChatId], None]) -> None:
        """Apply `write` (rename, system prompt, sampling …) to the open chat; a new chat is stored for it."""
        chat = await self._stored_chat()
        await self._storage.run(lambda opened: write(opened, chat.id))
        await self._refresh(chat)

    async def _again(self, parent_id: MessageId | None) -> None:
        if parent_id is None or self._busy:
            return
        submitted_ns = self._clock_ns()
        self._set_busy(busy=True)
        try:
            await self._answer(await self._stored_chat(), parent_id, self._prompt(through=parent_id), submitted_ns)
        finally:
            self._set_busy(busy=False)

    async def _ask(self, parent_id: MessageId | None, text: str, submitted_ns: int) -> None:
        """Store what the user wrote after `parent_id`, show it, and answer it."""
        before = self._prompt(through=parent_id) if parent_id is not None else self._opening()
        chat = await self._stored_chat()
        message = await self._storage.run(lambda opened: opened.store.messages.add_user(chat.id, parent_id, text))
        await self._reload(chat)
        prompt = ChatPrompt((*before.messages, Message(Role.USER, text)))
        await self._answer(chat, message.id, prompt, submitted_ns)

    async def _answer(self, chat: Chat, parent_id: MessageId, prompt: ChatPrompt, submitted_ns: int) -> None:
        """Begin a reply to `parent_id` and carry it through, whatever chat is shown meanwhile."""
        model = self._engine.model
        writer = await self._storage.run(
            lambda opened: opened.store.replies.begin(
                chat.id,
                parent_id,
                model=model.name if model else self._engine.model_name,
                quantization=model.quantization if model else None,
            )
        )
        await self._reload(chat)
        await self._write_reply(chat, writer, prompt, submitted_ns)

    async def _write_reply(self, chat: Chat, writer: ReplyWriter, prompt: ChatPrompt, submitted_ns: int) -> None:
        message_id = writer.message_id
        run = self._run = ReplyRun(
            self._storage, writer, self._metrics, lambda text, kind: self._text(message_id, text, kind)
        )
        self._metrics.begin(submitted_ns)
        try:
            request = GenerateRequest(id=0, prompt=prompt, submitted_ns=submitted_ns, sampling=chat.sampling)
            message = await self._follow(run, request)
        finally:
            self._run = None
        self._replace(message)
        await self._refresh(chat)

    async def _follow(self, run: ReplyRun, request: GenerateRequest) -> ChatMessage:
        try:
            await self._engine.ready()
            reply = await self._engine.generate(request)
        except FirstTokenError as error:
            return await run.fail(report_of(error))
        return await run.follow(reply)

    def _prompt(self, *, through: MessageId) -> ChatPrompt:
        """Return the conversation up to and with message `through`; replies without text are left out."""
        messages = list(self._opening().messages)
        for message in self.path:
            if message.text:
                messages.append(Message(message.role, message.text))
            if message.id == through:
                break
        return ChatPrompt(tuple(messages))

    def _opening(self) -> ChatPrompt:
        """Return what every conversation of the chat begins with."""
        system = self.chat.system_prompt if self.chat else ""
        return ChatPrompt((Message(Role.SYSTEM, system),) if system else ())

    async def _check_fits(self, text: str) -> None:
        """Count tokens where the text is long enough that it may not fit; a token takes at least one byte.

        Raises:
            ContextOverflowError: the conversation with `text` does not fit the context.
        """
        model = self._engine.model
        if model is None or self._bytes_with(text) < model.context_limit_tokens:
            return
        prompt = ChatPrompt((*self._prompt(through=MessageId(-1)).messages, Message(Role.USER, text)))
        tokens = await self._engine.count_tokens(prompt)
        if tokens >= model.context_limit_tokens:
            raise _too_long(tokens, model)

    def _bytes_with(self, text: str) -> int:
        return sum(len(message.text.encode()) for message in self.path) + len(text.encode())

    async def _stored_chat(self) -> Chat:
        if self.chat is None:
            self.chat = await self._storage.run(lambda opened: opened.store.chats.create())
            self.chat_changed.emit(self.chat)
        return self.chat

    async def _refresh(self, chat: Chat) -> None:
        if self._is_shown(chat):
            self.chat = await self._storage.run(lambda opened: opened.store.chats.get(chat.id))
            self.chat_changed.emit(self.chat)
        self.chats_changed.emit()

    async def _reload(self, chat: Chat) -> None:
        path = await self._storage.run(lambda opened: opened.store.messages.current_path(chat.id))
        if self._is_shown(chat):
            self._set_path(path)

    def _is_shown(self, chat: Chat) -> bool:
        return self.chat is not None and self.chat.id == chat.id

    def _show(self, chat: Chat | None, path: Path) -> None:
        self.chat = chat
        self.chat_changed.emit(chat)
        self._set_path(path)
        self._metrics.show(next((message.stats for message in reversed(path) if message.stats), None))

    def _set_path(self, path: Path) -> None:
        """Show `path`; where it only goes on from what is shown, add what is new."""
        shown, self.path = self.path, path
        if shown and path[: len(shown)] == shown:
            for message in path[len(shown) :]:
                self.message_added.emit(message)
        elif path != shown:
            self.path_reset.emit(path)

    def _replace(self, message: ChatMessage) -> None:
        if any(shown.id == message.id for shown in self.path):
            self.path = tuple(message if shown.id == message.id else shown for shown in self.path)
            self.message_changed.emit(message)

    def _text(self, message_id: MessageId, text: str, kind: TextKind) -> None:
        if any(shown.id == message_id for shown in self.path[-1:]):
            self.text_arrived.emit(message_id, text, kind)

    def _message(self, message_id: MessageId) -> ChatMessage:
        return next(message for message in self.path if message.id == message_id)

    def _set_busy(self, *, busy: bool) -> None:
        self._busy = busy
        if busy:
            self._idle.clear()
        else:
            self._idle.set()
        self.busy_changed.emit(busy)


def _too_long(tokens: int, model: LoadedModel) -> ContextOverflowError:
    return ContextOverflowError(
        f"The message and what precedes it take {tokens:,} tokens; this context holds {model.context_limit_tokens:,}.",
        "Shorten it, start a new chat, or load the model with a longer context. Nothing was sent.",
    )
