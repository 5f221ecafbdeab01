"""The chat that is open: its messages, and everything a person does to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from time import perf_counter_ns
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from desktop.state.chat_prompt import prompt_through, with_question
from desktop.state.context_fit import ContextFit
from desktop.state.early_reply import EarlyReply
from desktop.state.engine_state import EngineState
from desktop.state.metrics_state import MetricsState
from desktop.state.reply_run import ReplyRun
from desktop.state.storage import Storage
from runtime.store.exchanges import Exchange
from runtime.store.opening import OpenedStore
from runtime.store.replies import ReplyWriter
from runtime.values.chat import Chat, ChatId, ChatMessage, MessageId, ReplyEnd, new_uid
from runtime.values.context_end import ContextEnd
from runtime.values.errors import FirstTokenError, InvalidRequestError, StoreError, report_of
from runtime.values.generation import GenerateRequest, TextKind
from runtime.values.model import Quantization
from runtime.values.prompt import ChatPrompt
from runtime.values.sampling import SamplingParams

Path = tuple[ChatMessage, ...]
Answering = tuple[str | None, Quantization | None]
"""Which model answers, as far as that is known: its name, its quantization."""
T = TypeVar("T")


class StoppedError(Exception):
    """The user pressed Stop before the model had begun."""


def _ignore() -> None:
    """Do nothing."""


def _begin_exchange(
    chat: ChatId | str, parent_id: MessageId | None, text: str, answering: Answering, opened: OpenedStore
) -> Exchange:
    """Store what the user wrote in a chat, or in a new one with the key that is given."""
    chat_id, uid = (None, chat) if isinstance(chat, str) else (chat, "")
    name, quantization = answering
    return opened.store.exchanges.begin(chat_id, parent_id, text, model=name, quantization=quantization, uid=uid)


def _begin_reply(chat_id: ChatId, parent_id: MessageId, answering: Answering, opened: OpenedStore) -> ReplyWriter:
    name, quantization = answering
    return opened.store.replies.begin(chat_id, parent_id, model=name, quantization=quantization)


class ChatState(QObject):
    """Holds the open chat.

    Signals:
        chat_opened: another chat is shown; carries the `Chat`, None for a new one that has no message yet.
        chat_changed: carries what is known of the chat that is shown: another one, or the same as it is now.
        path_reset: the messages shown are others now; carries them all.
        message_added: carries a `ChatMessage` that follows the last one; in state `streaming` if it is a reply.
        text_arrived: id of the reply, new text, its `TextKind`.
        message_changed: carries a `ChatMessage` that is already shown.
        message_deleted: carries the id, for an offer to undo.
        busy_changed: whether a reply is under way.
        chats_changed: a title, an order or a number of chats changed.

    Attributes:
        chat: the chat that is shown; None for a new one.
        path: its messages.
        new_draft: what is written and not sent where there is no chat yet to keep it.
        context_fit: what of a chat the model is sent.
    """

    chat_opened = Signal(object)
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
        *,
        at_context_end: Callable[[], ContextEnd] = lambda: ContextEnd.STOP,
    ) -> None:
        super().__init__(parent)
        self._storage = storage
        self._engine = engine
        self._metrics = metrics
        self.context_fit = ContextFit(engine, at_context_end)
        self._clock_ns = clock_ns
        self._run: ReplyRun | None = None
        self._unsaved: list[ReplyRun] = []
        self._busy = False
        self._idle = asyncio.Event()
        self._stopped = asyncio.Event()
        self.chat: Chat | None = None
        self.path: Path = ()
        self.new_draft = ""

    @property
    def busy(self) -> bool:
        """Whether a reply is under way, in whichever chat."""
        return self._busy

    @property
    def replying_in(self) -> ChatId | None:
        """The chat in which a reply is being written."""
        return self._run.chat_id if self._run is not None else None

    # which chat is shown

    async def open(self, chat_id: ChatId, at: MessageId | None = None) -> None:
        """Show another chat, on the branch that message `at` is on.

        A reply under way goes on to its end in the chat it belongs to.

        Raises:
            StoreError: it cannot be read; what was shown still is.
        """

        def read(opened: OpenedStore) -> tuple[Chat, Path]:
            messages = opened.store.messages
            path = messages.current_path(chat_id)
            if at is not None and all(message.id != at for message in path):
                path = messages.select(at)
            return opened.store.chats.get(chat_id), path

        await self._save_unsaved()
        self._show(*await self._storage.run(read))

    def start_new(self) -> None:
        """Show an empty chat; it is stored with its first message."""
        self._show(None, ())

    # what a person does to it

    async def send(self, text: str, on_stored: Callable[[], None] = _ignore) -> bool:
        """Add what the user wrote and answer it; return whether it was sent.

        White space alone is not sent, nor anything while a reply is under way. `on_stored` is called when the message
        is on the disk: what goes wrong from there on loses nothing of it.

        Raises:
            ContextOverflowError: it does not fit the context; nothing was sent or stored.
            StoreError: it could not be stored; nothing was sent.
        """
        if not text.strip() or self._busy:
            return False
        await self._ask(self.path[-1].id if self.path else None, text, on_stored)
        return True

    def stop(self) -> None:
        """End the reply under way, whatever it waits for; what there is of it stays."""
        self._stopped.set()
        if self._run is not None:
            self._run.cancel()

    async def regenerate(self, message_id: MessageId) -> None:
        """Answer again where `message_id` is a reply; the earlier versions stay, as branches."""
        parent_id = self._message(message_id).parent_id
        if parent_id is not None:
            self._refuse_if_busy()
            with self._replying() as submitted_ns:
                prompt, chat = self._prompt(parent_id), await self._stored_chat()
                async with self._asked(prompt, chat, chat.uid, submitted_ns) as early:
                    begin = partial(_begin_reply, chat.id, parent_id, self._answering())
                    await self._answer(chat, await self._storage.run(begin), early)

    async def edit(self, message_id: MessageId, text: str, on_stored: Callable[[], None] = _ignore) -> None:
        """Put another version beside the user's message `message_id`, and answer that one. Else as `send`."""
        if text.strip():
            self._refuse_if_busy()
            await self._ask(self._message(message_id).parent_id, text, on_stored)

    async def resume(self, message_id: MessageId) -> None:
        """Go on with a reply that ended early, after its last character."""
        self._refuse_if_busy()
        with self._replying() as submitted_ns:
            message, prompt = self._message(message_id), self._prompt(message_id)
            chat = await self._stored_chat()
            async with self._asked(prompt, chat, chat.uid, submitted_ns) as early:
                writer = await self._storage.run(lambda opened: opened.store.replies.resume(message_id))
                await self._answer(chat, writer, early, after=message)

    async def step_branch(self, message_id: MessageId, step: int) -> None:
        """Show the version `step` places after this one, as far as there are any."""
        message = self._message(message_id)
        self._refuse_if_replying_in(message.chat_id)
        index = min(len(message.sibling_ids) - 1, max(0, message.sibling_index + step))
        chosen = message.sibling_ids[index]
        path = await self._storage.run(lambda opened: opened.store.messages.select(chosen))
        if self._shows(message.chat_id):
            self._set_path(path)

    async def delete(self, message_id: MessageId) -> None:
        """Take a message and what follows it out of the chat."""
        chat = await self._stored_chat()
        self._refuse_if_replying_in(chat.id)
        await self._storage.run(lambda opened: opened.store.messages.delete(message_id))
        await self._reload(chat)
        self.message_deleted.emit(message_id)

    async def restore(self, message_id: MessageId) -> None:
        """Undo `delete`."""
        await self._storage.run(lambda opened: opened.store.messages.restore(message_id))
        if self.chat is not None:
            await self._reload(self.chat)

    async def save_draft(self, chat_id: ChatId | None, draft: str) -> None:
        """Keep what is written but not sent; None is the chat that has no message yet."""
        if chat_id is None:
            self.new_draft = draft
        else:
            await self._storage.run(lambda opened: opened.store.chats.save_draft(chat_id, draft))

    async def wait_until_idle(self) -> None:
        """Wait until no reply is under way, and try once more to save what could not be saved."""
        while self._busy:
            await self._idle.wait()
        await self._save_unsaved()

    async def change(self, write: Callable[[OpenedStore, ChatId], None]) -> None:
        """Apply `write` (rename, system prompt, sampling …) to the open chat; a new chat is stored for it."""
        chat = await self._stored_chat()
        await self._storage.run(lambda opened: write(opened, chat.id))
        await self._refresh(chat)

    # a reply, from the question to the disk

    @contextmanager
    def _replying(self) -> Iterator[int]:
        """Be busy, and yield when that began; being stopped before the model has begun is an end like others."""
        self._stopped.clear()
        self._set_busy(busy=True)
        try:
            with suppress(StoppedError):
                yield self._clock_ns()
        finally:
            self._set_busy(busy=False)

    def _asked(self, prompt: ChatPrompt, chat: Chat | None, uid: str, submitted_ns: int) -> EarlyReply:
        sampling = chat.sampling if chat is not None else SamplingParams()
        request = GenerateRequest(id=0, prompt=prompt, submitted_ns=submitted_ns, sampling=sampling, conversation=uid)
        return EarlyReply(self._engine, request, self.context_fit)

    def _answering(self) -> Answering:
        model = self._engine.model
        return (model.name, model.quantization) if model else (self._engine.model_name, None)

    async def _ask(self, parent_id: MessageId | None, text: str, on_stored: Callable[[], None]) -> None:
        """Answer what the user wrote after `parent_id`: the model begins while it is stored and shown."""
        with self._replying() as submitted_ns:
            chat, prompt = self.chat, with_question(self._prompt(parent_id), text)
            if not self.context_fit.fits_surely(prompt):
                await self._unless_stopped(self.context_fit.check(prompt))
            uid = chat.uid if chat is not None else new_uid()
            async with self._asked(prompt, chat, uid, submitted_ns) as early:
                await self._save_unsaved()
                begin = partial(
                    _begin_exchange, chat.id if chat is not None else uid, parent_id, text, self._answering()
                )
                exchange = await self._storage.run(begin)
                if chat is None:
                    self._adopt(exchange.chat)
                on_stored()
                self.chats_changed.emit()
                self._show_path(exchange.chat, exchange.path[:-1])
                await self._answer(exchange.chat, exchange.writer, early, path=exchange.path)

    async def _answer(
        self,
        chat: Chat,
        writer: ReplyWriter,
        early: EarlyReply,
        *,
        path: Path | None = None,
        after: ChatMessage | None = None,
    ) -> None:
        """Carry a reply through, whatever chat is shown meanwhile.

        `path` is how the chat is now, where that is known; `after` is what there is of the reply already.
        """
        run = self._run = ReplyRun(
            self._storage, writer, chat.id, self._metrics, partial(self._arrive, writer.message_id)
        )
        if after is not None:
            run.go_on_from(after)
        try:
            if path is None:
                await self._reload(chat)
            else:
                self._show_path(chat, path)
            self._metrics.begin(early.submitted_ns)
            await self._finish(run, await self._follow(run, early))
        finally:
            self._run = None
        await self._refresh(chat)

    def _arrive(self, message_id: MessageId, text: str, kind: TextKind) -> None:
        if any(shown.id == message_id for shown in self.path[-1:]):
            self.text_arrived.emit(message_id, text, kind)

    async def _follow(self, run: ReplyRun, early: EarlyReply) -> ReplyEnd:
        try:
            reply = await self._unless_stopped(early.begun())
        except StoppedError:
            return run.stopped_early()
        except FirstTokenError as error:
            return run.failed_early(report_of(error))
        if self._stopped.is_set():  # Stop was pressed while the question was stored.
            run.cancel()
        return await run.follow(reply)

    async def _finish(self, run: ReplyRun, end: ReplyEnd) -> None:
        """Save the end of a reply. Where that fails the reply says so, and is saved when that is possible again."""
        try:
            self._replace(await run.finish(end))
        except StoreError:
            self._unsaved.append(run)
            for message in self.path:
                if message.id == run.message_id:
                    self._replace(run.seen(message))

    async def _save_unsaved(self) -> None:
        """Try once more to write the ends of replies that could not be written."""
        unsaved, self._unsaved = self._unsaved, []
        for run in unsaved:
            try:
                self._replace(await run.finish_again())
            except StoreError:
                self._unsaved.append(run)

    async def _unless_stopped(self, work: Awaitable[T]) -> T:
        """Return what `work` gives.

        Raises:
            StoppedError: the user pressed Stop first.
        """
        task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise StoppedError
        finally:
            for one in (task, stopped):
                one.cancel()
            await asyncio.gather(task, stopped, return_exceptions=True)

    @property
    def prompt(self) -> ChatPrompt:
        """The whole conversation that is shown."""
        return self._prompt(self.path[-1].id if self.path else None)

    def _prompt(self, last: MessageId | None) -> ChatPrompt:
        return prompt_through(self.chat.system_prompt if self.chat else "", self.path, last)

    def _refuse_if_busy(self) -> None:
        if self._busy:
            raise InvalidRequestError("A reply is being written.", "Wait for its end, or stop it first.")

    def _refuse_if_replying_in(self, chat_id: ChatId) -> None:
        if self.replying_in == chat_id:
            self._refuse_if_busy()

    # what is shown

    async def _stored_chat(self) -> Chat:
        return self.chat or await self._new_chat()

    async def _new_chat(self) -> Chat:
        chat = await self._storage.run(lambda opened: opened.store.chats.create())
        self._adopt(chat)
        return chat

    def _adopt(self, chat: Chat) -> None:
        """Show what has just been stored, unless another chat is shown by now."""
        if self.chat is None:
            self.chat, self.new_draft = chat, ""
            self.chat_changed.emit(chat)

    async def _refresh(self, chat: Chat) -> None:
        """Read a chat anew, if it is the one that is shown."""
        if self._shows(chat.id):
            now = await self._storage.run(lambda opened: opened.store.chats.get(chat.id))
            if self._shows(chat.id):
                self.chat = now
                self.chat_changed.emit(now)
        self.chats_changed.emit()

    async def _reload(self, chat: Chat) -> None:
        self._show_path(chat, await self._storage.run(lambda opened: opened.store.messages.current_path(chat.id)))

    def _show_path(self, chat: Chat, path: Path) -> None:
        if self._shows(chat.id):
            self._set_path(path)

    def _shows(self, chat_id: ChatId) -> bool:
        return self.chat is not None and self.chat.id == chat_id

    def _show(self, chat: Chat | None, path: Path) -> None:
        self.chat = chat
        self.chat_opened.emit(chat)
        self.chat_changed.emit(chat)
        self._set_path(path)
        self._metrics.show(next((message.stats for message in reversed(path) if message.stats), None))

    def _set_path(self, path: Path) -> None:
        """Show `path`, with what is not on the disk yet; where it only goes on from what is shown, add what is new."""
        shown, self.path = self.path, tuple(map(self._seen, path))
        if shown and self.path[: len(shown)] == shown:
            for message in self.path[len(shown) :]:
                self.message_added.emit(message)
        elif self.path != shown:
            self.path_reset.emit(self.path)

    def _seen(self, message: ChatMessage) -> ChatMessage:
        runs = [*self._unsaved, *([self._run] if self._run else [])]
        return next((run.seen(message) for run in runs if run.message_id == message.id), message)

    def _replace(self, message: ChatMessage) -> None:
        if any(shown.id == message.id for shown in self.path):
            self.path = tuple(message if shown.id == message.id else shown for shown in self.path)
            self.message_changed.emit(message)

    def _message(self, message_id: MessageId) -> ChatMessage:
        for message in self.path:
            if message.id == message_id:
                return message
        raise InvalidRequestError("This message is not shown any more.", "Open its chat again.")

    def _set_busy(self, *, busy: bool) -> None:
        self._busy = busy
        if busy:
            self._idle.clear()
        else:
            self._idle.set()
        self.busy_changed.emit(busy)
