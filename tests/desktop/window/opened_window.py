"""The real window in a test: opened over a home of its own, used by keyboard and mouse, closed as a person closes it.

Nothing here sleeps: `until` looks each time Qt's event loop has nothing left to do, so a change is seen at once.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar, cast

import msgspec
import psutil
from PySide6.QtCore import QAbstractEventDispatcher, QCoreApplication, QEvent, QPoint, Qt, QTimer
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPlainTextEdit, QWidget

from desktop.app import Desktop
from desktop.chat.transcript.message_buttons import MessageButtons
from desktop.chat.transcript.message_view import MessageView
from desktop.first_paint import FirstPaint
from desktop.state.engine_state import EngineStatus, Loading, NoModel
from desktop.widgets.icon_button import IconButton
from runtime.config.paths import AppPaths, app_paths
from runtime.config.settings import Settings, write_settings
from runtime.engine.scripted_engine import Script
from runtime.store.opening import FILE_NAME
from runtime.values.chat import ChatMessage, MessageState
from runtime.values.model import EngineName

PATIENCE_S = 30.0
QUICK = Script(prefill_tokens_per_second=1e6, decode_tokens_per_second=2000)
SLOW = Script(replies=(tuple(f"word{number} " for number in range(2000)),), decode_tokens_per_second=100)
WAITS_FOR_QUIET = {"go on with the downloads"}
W = TypeVar("W", bound=QWidget)


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until `condition` holds; `what` is what a failure says was waited for."""
    loop = asyncio.get_running_loop()
    held: asyncio.Future[None] = loop.create_future()

    def look() -> None:
        if held.done():
            return
        try:
            if condition():
                held.set_result(None)
        except Exception as error:  # noqa: BLE001 - raised again where it was waited for
            held.set_exception(error)

    def give_up() -> None:
        if not held.done():
            held.set_exception(AssertionError(f"no {what}"))

    dispatcher = QAbstractEventDispatcher.instance()
    dispatcher.aboutToBlock.connect(look)
    timer = loop.call_later(PATIENCE_S, give_up)
    try:
        look()
        await held
    finally:
        timer.cancel()
        dispatcher.aboutToBlock.disconnect(look)


async def outside_of_tasks(act: Callable[[], None]) -> None:
    """Do what lets Qt handle events meanwhile, such as moving the pointer.

    Within a task, the tasks that these events wake could not run, and would never be woken again.
    """
    done = asyncio.get_running_loop().create_future()

    def begin() -> None:
        act()
        done.set_result(None)

    QTimer.singleShot(0, begin)
    await done


class OpenedWindow:
    """A window that is on the (offscreen) screen."""

    def __init__(self, desktop: Desktop) -> None:
        self.desktop = desktop
        self.states = desktop.states
        self.widget = desktop.window

    # what is there

    def find(self, kind: type[W], name: str) -> W:
        """Return the one control of that name, in the window or in a dialog over it."""
        (found,) = self.widget.findChildren(kind, name)
        return found

    def find_control(self, name: str) -> QWidget:
        """Return the control of that name, whatever it is; where there are several, the one that can be seen."""
        found = self.widget.findChildren(QWidget, name)
        shown = [control for control in found if control.isVisible()] or found
        assert len(shown) == 1, f"{len(shown)} controls called {name}"
        return shown[0]

    def text_of(self, name: str) -> str:
        """Return what a label says; nothing where it is hidden."""
        label = self.find(QLabel, name)
        return label.text() if label.isVisible() else ""

    @property
    def composer(self) -> QPlainTextEdit:
        """Where messages are written."""
        return self.find(QPlainTextEdit, "composer")

    @property
    def send_button(self) -> IconButton:
        """What sends."""
        return self.find(IconButton, "sendButton")

    @property
    def status(self) -> EngineStatus:
        """What goes on with the model."""
        return self.states.engine.status

    @property
    def path(self) -> tuple[ChatMessage, ...]:
        """The messages of the open chat."""
        return self.states.chat.path

    @property
    def texts(self) -> list[str]:
        """What the messages of the open chat say, as the transcript has them."""
        transcript = self.desktop.chat_panel.transcript
        return [transcript.message_text(number) for number in transcript.message_ids()]

    @property
    def tokens(self) -> int:
        """How many tokens of the reply under way have come."""
        return self.desktop.metrics.figures.tokens

    def message_view(self, number: int) -> MessageView:
        """Return what the transcript was told of message `number` last."""
        return self.desktop.chat_panel.transcript.messages.items[number].view

    def shown_views(self) -> list[MessageView]:
        """Return what the transcript shows, message by message."""
        return [item.view for item in self.desktop.chat_panel.transcript.messages.items]

    async def token_times_ms(self) -> tuple[float, ...]:
        """Return when the tokens of the last reply came, from the database."""
        number = self.path[-1].id
        stats = await self.states.storage.run(lambda opened: opened.store.messages.stats_of(number))
        assert stats is not None
        return stats.token_times_ms

    def workers(self) -> list[psutil.Process]:
        """Return the processes that hold models."""
        found = []
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # It may end while it is looked at.
                if process.status() != psutil.STATUS_ZOMBIE and "--worker" in process.cmdline():
                    found.append(process)
        return found

    @property
    def notice(self) -> str:
        """What the bar under the toolbar says."""
        return self.text_of("noticeText")

    # what a person does

    def write(self, text: str) -> None:
        """Type into the composer."""
        QTest.keyClicks(self.composer, text)

    def press(
        self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier, where: QWidget | None = None
    ) -> None:
        """Press a key, in the composer unless something else is named."""
        QTest.keyClick(where or self.composer, key, modifier)

    def click(self, name: str) -> None:
        """Click the middle of a control that can be seen."""
        control = self.find_control(name)
        assert control.isVisible(), f"{name} is hidden"
        assert control.isEnabled(), f"{name} is disabled"
        QTest.mouseClick(control, Qt.MouseButton.LeftButton)

    def choose(self, name: str) -> None:
        """Choose a menu entry."""
        (action,) = self.widget.findChildren(QAction, name)
        assert action.isEnabled(), f"{name} is disabled"
        action.trigger()

    async def beside(self, number: int, button: str) -> None:
        """Point at message `number` of the open chat and click a button that appears there."""
        transcript = self.desktop.chat_panel.transcript
        message_id = transcript.message_ids()[number]
        transcript.show_message(message_id)
        viewport = transcript.viewport()
        foot = transcript.message_rect(message_id).bottomLeft() + QPoint(8, -8)
        # Where the pointer is already, it would not move.
        await outside_of_tasks(lambda: QTest.mouseMove(viewport, viewport.rect().bottomRight()))
        await outside_of_tasks(lambda: QTest.mouseMove(viewport, viewport.mapFromGlobal(foot)))
        buttons = self.find(MessageButtons, "messageButtons")
        await until(
            lambda: buttons.view and buttons.view.id == message_id and self.find_control(button).isVisible(),
            f"{button} beside message {number}",
        )
        self.click(button)

    async def ask(self, text: str) -> ChatMessage:
        """Send a message and wait for the end of the reply; return the reply."""
        self.write(text)
        self.press(Qt.Key.Key_Return)
        await self.idle(f"reply to {text!r}")
        return self.path[-1]

    # what is waited for

    async def ready(self) -> None:
        """Wait until the model answers or has failed to load, and the chats are listed."""
        await until(lambda: not isinstance(self.status, Loading | NoModel), "end of loading")

    async def idle(self, what: str = "idle chat") -> None:
        """Wait until nothing is being answered, and everything that was begun is done."""
        await until(lambda: not self.states.chat.busy and self.is_at_rest, what)

    @property
    def is_at_rest(self) -> bool:
        """Whether everything that was begun is done, but for what waits until a window has been quiet for a while."""
        return set(self.states.tasks.names) <= WAITS_FOR_QUIET

    async def streaming(self, characters: int = 20) -> None:
        """Wait until a reply is under way and some of it is on the screen."""
        await until(
            lambda: (
                self.path
                and self.path[-1].state is MessageState.STREAMING
                and len(self.texts[-1].strip()) >= characters
            ),
            "streaming text",
        )


class Home:
    """A folder with settings, models and chats, and the windows that are opened over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: AppPaths = app_paths({"FIRST_TOKEN_HOME": str(folder)})

    @property
    def database(self) -> Path:
        """The file with the chats."""
        return self.paths.data / FILE_NAME

    def use_script(self, script: Script, name: str = "scripted") -> Path:
        """Have the windows load a scripted model from now on."""
        path = self.folder / f"{name}.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(script))
        self.use(EngineName.SCRIPTED, str(path))
        return path

    def use(self, engine: EngineName, model: str) -> None:
        """Have the windows load a model on an engine from now on."""
        write_settings(self.paths.config_file, Settings(engine=engine, default_model=model))

    @asynccontextmanager
    async def open(self, *, waits: bool = True) -> AsyncIterator[OpenedWindow]:
        """Open the window, wait until the model is loaded (unless told not to), and close it in the end."""
        application = cast("QApplication", QGuiApplication.instance())
        desktop = Desktop(FirstPaint(application, self.paths), asyncio.get_running_loop(), self.paths)
        window = OpenedWindow(desktop)
        session = asyncio.ensure_future(desktop.session.run())
        try:
            await until(lambda: session.done() or desktop.window.isVisible(), "window on the screen")
            if waits:
                await window.ready()
                await window.idle("start")
            yield window
        finally:
            desktop.window.close()
            await session
            gc.unfreeze()  # The session froze what was there, for good in the app.
            desktop.window.deleteLater()
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)

    @asynccontextmanager
    async def open_scripted(self, script: Script = QUICK) -> AsyncIterator[OpenedWindow]:
        """Open the window with a scripted model."""
        self.use_script(script)
        async with self.open() as window:
            yield window
