"""The chat: transcript above, composer below, and what passes between them and the state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QColor, QDesktopServices, QKeySequence, QPalette, QShortcut
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.chat.composer import Composer
from desktop.chat.context_notice import ContextNotice
from desktop.chat.message_words import left_out_next_text, left_out_text, message_view, progress_text
from desktop.chat.preparation import prepare_to_show
from desktop.chat.transcript.accessibility import install_accessibility
from desktop.chat.transcript.message_view import MessageView
from desktop.chat.transcript.transcript_view import TranscriptView
from desktop.chat.wait_words import wait_explanation
from desktop.chat.welcome import Welcome
from desktop.state.context_state import ContextState
from desktop.state.engine_state import EngineState, EngineStatus, Loading, Serving, short_name
from desktop.state.metrics_state import MetricsState
from desktop.tasks import Tasks
from desktop.theme.theme import Theme
from desktop.widgets.question import ask
from runtime.values.chat import Chat, ChatId, ChatMessage, MessageId, MessageState
from runtime.values.errors import UserFacingError
from runtime.values.generation import StopReason, TextKind

if TYPE_CHECKING:
    from desktop.chat.greeting import Greeting
    from desktop.chat.wait_dialog import WaitDialog
    from desktop.state.machine_outlook import OutlookState

MARGIN_PX = 16
DRAFT_DELAY_MS = 500
SHOWN_ADDRESS_CHARACTERS = 1000


class ChatPanel(QWidget):
    """Shows the open chat and takes what the user writes.

    Signals:
        draft_changed: the chat (None for a new one) and the text that is not sent in it, a moment after the last key
            and whenever the chat is left.
    """

    draft_changed = Signal(object, str)

    def __init__(
        self,
        theme: Theme,
        context: ContextState,
        engine: EngineState,
        metrics: MetricsState,
        tasks: Tasks,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._chat = context.chat
        self._context = context
        self._boundaries: dict[MessageId, str] = {}
        self._engine = engine
        self._metrics = metrics
        self._tasks = tasks
        self._chat_id: ChatId | None = None
        self._editing: MessageId | None = None
        self._set_aside = ""
        self._explanation: WaitDialog | None = None
        self._told_draft = ""
        self._shown_status = ""
        self.setObjectName("chatPanel")
        self.setAccessibleName(self.tr("Chat"))
        self._accessibility = install_accessibility()
        self.transcript = TranscriptView(theme, self)
        self.composer = Composer(theme, self)
        self._context_notice = ContextNotice(theme, self)
        self._theme = theme
        self._welcome = Welcome(theme, self)
        self._greeting: Greeting | None = None
        self._draft_timer = QTimer(self, singleShot=True, interval=DRAFT_DELAY_MS)
        self._escape_key = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        self._escape_key.setEnabled(False)
        self._lay_out()
        self._connect_state()
        self._connect_widgets()
        self.apply_theme(theme)
        self._show_path(self._chat.path)

    @property
    def draft(self) -> str:
        """What is written and not sent; while a message is edited, what was written before."""
        return self.composer.text if self._editing is None else self._set_aside

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._theme = theme
        if self._explanation is not None:
            self._explanation.apply_theme(theme)
        self.setAutoFillBackground(True)
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Window, QColor(theme.colors.page))
        self.setPalette(palette)
        self.transcript.apply_theme(theme)
        self.composer.apply_theme(theme)
        self._welcome.apply_theme(theme)
        self._context_notice.apply_theme(theme)
        self._theme = theme
        if self._greeting is not None:
            self._greeting.apply_theme(theme)

    def greet(self, outlook: OutlookState) -> Greeting:
        """Say in place of the usual welcome what this is, until the user has read it or the first message is sent."""
        from desktop.chat.greeting import Greeting  # noqa: PLC0415 - on the first start, and never again

        greeting = self._greeting = Greeting(self._theme, outlook, self._engine, self)
        self._column.insertWidget(0, greeting, 1)
        greeting.started.connect(self._end_greeting)
        self._show_welcome()
        return greeting

    def _end_greeting(self) -> None:
        if self._greeting is not None:
            self._greeting.hide()
            self._greeting.deleteLater()
            self._greeting = None
            self._show_welcome()
            self.composer.focus()

    def _lay_out(self) -> None:
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, MARGIN_PX)
        column.setSpacing(0)
        column.addWidget(self.transcript, 1)
        column.addWidget(self._welcome, 1)
        self._composer_row = QVBoxLayout()
        self._composer_row.setContentsMargins(MARGIN_PX, 0, MARGIN_PX, 0)
        self._composer_row.addWidget(self._context_notice)
        self._composer_row.addWidget(self.composer)
        column.addLayout(self._composer_row)

    def _connect_state(self) -> None:
        self._chat.chat_opened.connect(self._open_chat)
        self._chat.chat_changed.connect(self._note_chat)
        self._chat.path_reset.connect(self._show_path)
        self._chat.message_added.connect(self._add_message)
        self._chat.message_changed.connect(self._update_message)
        self._chat.text_arrived.connect(self._append_text)
        self._chat.busy_changed.connect(self._show_busy)
        self._engine.status_changed.connect(self._show_engine)
        self._metrics.changed.connect(self._show_progress)
        self._context.changed.connect(self._show_context)

    def _connect_widgets(self) -> None:
        self.composer.sent.connect(self._send)
        self.composer.stop_requested.connect(self._chat.stop)
        self.composer.edited.connect(self._draft_timer.start)
        self.composer.edited.connect(self._prepare_to_show, Qt.ConnectionType.SingleShotConnection)
        self._draft_timer.timeout.connect(self._tell_draft)
        self._draft_timer.timeout.connect(lambda: self._context.note_draft(self.composer.text))
        self._context_notice.chosen.connect(self._context.choose)
        self._welcome.question_chosen.connect(self._send)
        self._escape_key.activated.connect(self._escape)
        view = self.transcript
        view.edit_requested.connect(self._begin_edit)
        view.explanation_requested.connect(self._explain_wait)
        view.link_activated.connect(self._ask_before_link)
        view.first_text_painted.connect(lambda _id, _time_ns: self._metrics.note_first_paint())
        view.regenerate_requested.connect(
            lambda number: self._start(self._chat.regenerate(MessageId(number)), "regenerate")
        )
        view.retry_requested.connect(lambda number: self._start(self._chat.regenerate(MessageId(number)), "retry"))
        view.continue_requested.connect(lambda number: self._start(self._chat.resume(MessageId(number)), "continue"))
        view.delete_requested.connect(
            lambda number: self._start(self._chat.delete(MessageId(number)), "delete message")
        )
        view.branch_requested.connect(
            lambda number, step: self._start(self._chat.step_branch(MessageId(number), step), "switch branch")
        )

    # from the state

    def _open_chat(self, chat: Chat | None) -> None:
        """Change to another chat: what is written here waits here, what was written there is back."""
        self._tell_draft()
        self._stop_editing()
        self._chat_id = chat.id if chat is not None else None
        self._told_draft = chat.draft if chat is not None else self._chat.new_draft
        self.composer.set_text(self._told_draft)
        self.composer.show_notice("")

    def _note_chat(self, chat: Chat | None) -> None:
        """Note that the new chat has been stored: what is written here and not sent is its draft from now on."""
        if self._chat_id is None and chat is not None:
            self._told_draft = ""
            self._draft_timer.start()
        self._chat_id = chat.id if chat is not None else None

    def _tell_draft(self) -> None:
        self._draft_timer.stop()
        if self.draft != self._told_draft:
            self._told_draft = self.draft
            self.draft_changed.emit(self._chat_id, self.draft)

    def _show_path(self, path: tuple[ChatMessage, ...]) -> None:
        self.transcript.set_messages([self._view(message) for message in path])
        self._show_welcome()

    def _show_busy(self, busy: bool) -> None:  # noqa: FBT001 - a signal's argument
        self.composer.set_busy(busy=busy)
        self._claim_escape()

    def _claim_escape(self) -> None:
        """Take the Escape key wherever the focus is, but only while there is something to end here."""
        self._escape_key.setEnabled(self._chat.busy or self._editing is not None)

    def _add_message(self, message: ChatMessage) -> None:
        self.transcript.add_message(self._view(message, self._status()))
        self._show_welcome()

    def _update_message(self, message: ChatMessage) -> None:
        self.transcript.update_message(self._view(message))

    def _append_text(self, number: int, text: str, kind: TextKind) -> None:
        self.transcript.append_text(MessageId(number), text, kind)

    def _view(self, message: ChatMessage, status: str = "") -> MessageView:
        boundary = self._boundaries.get(message.id, "")
        return message_view(message, status, boundary=boundary, drops_oldest=self._context.drops_oldest)

    def _show_context(self) -> None:
        """Say above the composer what the next message brings, and below which message the model's view begins."""
        context = self._context
        self._context_notice.show_outlook(context.outlook, drops_oldest=context.drops_oldest)
        before = self._boundaries
        said = {context.last_left_out: left_out_text(), context.last_left_out_next: left_out_next_text()}
        self._boundaries = {message_id: text for message_id, text in said.items() if message_id is not None}
        for message in self._chat.path:
            is_full = message.stop_reason is StopReason.CONTEXT_FULL
            if is_full or before.get(message.id) != self._boundaries.get(message.id):
                self.transcript.update_message(self._view(message))

    def _show_engine(self, status: EngineStatus) -> None:
        self._welcome.show_model(status.model if isinstance(status, Serving) else None)
        self._show_progress()

    def _show_progress(self) -> None:
        """Say below a reply without text what is going on: loading, or reading the prompt."""
        last = self._chat.path[-1] if self._chat.path else None
        figures = self._metrics.figures
        if last is None or last.state is not MessageState.STREAMING or figures.tokens:
            return
        status = self._status()
        if status != self._shown_status:
            self._shown_status = status
            self.transcript.update_message(self._view(last, status))

    def _status(self) -> str:
        progress = self._metrics.figures.prompt_progress
        match self._engine.status:
            case Loading(name=name):
                return self.tr("Loading {name}…").format(name=short_name(name))
            case Serving() if progress is not None:
                return progress_text(progress)
            case _:
                return self.tr("Starting…")

    def _show_welcome(self) -> None:
        empty = not self._chat.path
        if not empty:
            self._end_greeting()
        self._welcome.setVisible(empty and self._greeting is None)
        self.transcript.setVisible(not empty)

    # from the user

    def _prepare_to_show(self) -> None:
        self._start(asyncio.to_thread(prepare_to_show), "prepare to show replies")

    def _send(self, text: str) -> None:
        if self._editing is not None:
            self._start(self._send_edit(self._editing, text), "edit message")
        else:
            self._start(self._send_new(text), "send message")

    async def _send_new(self, text: str) -> None:
        await self._until_stored(text, lambda stored: self._chat.send(text, stored))

    async def _send_edit(self, message_id: MessageId, text: str) -> None:
        await self._until_stored(text, lambda stored: self._chat.edit(message_id, text, stored))

    async def _until_stored(
        self, text: str, send: Callable[[Callable[[], None]], Coroutine[object, object, object]]
    ) -> None:
        """Empty the field once the message is stored; if it is refused, say why in place and keep what was written."""
        is_stored = False

        def stored() -> None:
            nonlocal is_stored
            is_stored = True
            self._take_out(text)

        try:
            await send(stored)
        except UserFacingError as error:
            if is_stored:
                raise
            if not self.composer.text:
                self.composer.set_text(text)
            self.composer.show_notice(f"{error.what} {error.next_step}")

    def _take_out(self, text: str) -> None:
        """Take what is stored now out of the field, unless the user has gone on writing."""
        if self._editing is not None:
            self._end_edit()
        elif self.composer.text == text:
            self.composer.clear()
            self._tell_draft()

    def _begin_edit(self, number: int) -> None:
        message = next((one for one in self._chat.path if one.id == number), None)
        if message is not None:
            self._set_aside = self.draft
            self._editing = message.id
            self.composer.set_text(message.text)
            self.composer.set_editing(editing=True)
            self._claim_escape()
            self.composer.focus()

    def _end_edit(self) -> None:
        """Go back to what was written before."""
        if self._editing is not None:
            self._stop_editing()
            self.composer.set_text(self._set_aside)

    def _stop_editing(self) -> None:
        self._editing = None
        self.composer.set_editing(editing=False)
        self._claim_escape()

    def _escape(self) -> None:
        if self._chat.busy:
            self._chat.stop()
        else:
            self._end_edit()

    def _explain_wait(self, number: int) -> None:
        """Say why a reply was slow to begin."""
        from desktop.chat.wait_dialog import WaitDialog  # noqa: PLC0415 - most days nobody asks

        explanation = wait_explanation(self._chat.path, MessageId(number))
        if explanation is not None:
            dialog = self._explanation = WaitDialog(self._theme, explanation, self)
            dialog.finished.connect(self._forget_explanation)
            dialog.open()

    def _forget_explanation(self) -> None:
        self._explanation = None

    def _ask_before_link(self, address: str) -> None:
        """Show where a link leads before anything opens it: its text may name one address and lead to another."""
        shown = address if len(address) <= SHOWN_ADDRESS_CHARACTERS else f"{address[:SHOWN_ADDRESS_CHARACTERS]}…"
        question = self.tr("Open this address in the browser?\n\n{address}").format(address=shown)
        url = QUrl(address, QUrl.ParsingMode.StrictMode)

        def open_link() -> None:
            QDesktopServices.openUrl(url)

        ask(self, "linkDialog", question, self.tr("Open"), open_link)

    def _start(self, work: Coroutine[object, object, None], name: str) -> None:
        self._tasks.start(work, name)
