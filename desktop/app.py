"""The composition root: makes every part of the window, wires them, and runs them.

Start-up order:

1. `desktop.__main__` has decided that this is neither a worker nor a command, and that there is a display, without
   which Qt would end the process.
2. Qt is imported (`desktop.qt_import`); `desktop.first_paint` makes the `QApplication` and shows the window, with
   nothing in it but what costs nothing.
3. This module is imported, and with it everything else, while the window can be seen.
4. State, then widgets; nothing here waits for the disk or for a model.
5. `Session.run` on the event loop: the worker with the last model, the list of chats and the last chat, all at the
   same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

import qasync

from desktop.chat.chat_panel import ChatPanel
from desktop.commands import WindowCommands
from desktop.conversations.sidebar import Sidebar
from desktop.error_log import recorded_errors
from desktop.first_paint import FirstPaint
from desktop.frame_rate import text_interval_s
from desktop.main_window import Parts
from desktop.metrics.metrics_panel import MetricsPanel
from desktop.model_control.model_button import ModelButton
from desktop.session import Session, States
from desktop.state.bandwidth_state import BandwidthState
from desktop.state.bench_start import BenchStart
from desktop.state.chat_list_state import ChatListState
from desktop.state.chat_state import ChatState
from desktop.state.context_state import ContextState
from desktop.state.draft_aside import FILE_NAME as UNSENT_NAME
from desktop.state.draft_aside import DraftAside
from desktop.state.engine_state import EngineState, EngineStatus, LoadFailed, NoModel
from desktop.state.installed_state import InstalledState
from desktop.state.kv_caches_state import KvCachesState
from desktop.state.library_start import LibraryStart
from desktop.state.metrics_state import MetricsState
from desktop.state.preferences import PreferencesState
from desktop.state.settings_state import SettingsState
from desktop.state.storage import Storage
from desktop.state.usage_state import UsageState
from desktop.tasks import Tasks
from desktop.termination import closed_when_told
from desktop.widgets.calm_cursor import CalmCursor
from runtime.client.base import ModelToLoad
from runtime.client.launch import (
    choose_instead,
    choose_model,
    make_supervisor,
    model_to_load,
    remembered_options,
    start_worker_child,
)
from runtime.client.worker_client import StartChild
from runtime.config.paths import AppPaths
from runtime.config.settings import read_settings
from runtime.library.installed import list_models
from runtime.metrics.device import usable_cores
from runtime.store.opening import FILE_NAME, open_store

if TYPE_CHECKING:
    from desktop.state.bench_states import BenchStates
    from desktop.state.crash_state import CrashState
    from desktop.state.library_states import LibraryStates
    from desktop.state.update_state import UpdateState

BACKGROUND_THREADS = 4


class Desktop:
    """Everything the window is made of."""

    def __init__(
        self,
        first_paint: FirstPaint,
        loop: asyncio.AbstractEventLoop,
        paths: AppPaths,
        start_child: StartChild = start_worker_child,
    ) -> None:
        self.looks = first_paint.looks
        self.paths = paths
        self.is_first_start = first_paint.is_first_start
        self.window = first_paint.window
        self.metrics = MetricsState()
        self.states = make_states(loop, paths, self.metrics, start_child)
        self.bandwidth = BandwidthState(self.states.engine, self.metrics, self.states.tasks, parent=self.window)
        self.usage = UsageState(paths, self.states.engine, self.metrics, self.states.tasks, parent=self.window)
        self.states.preferences.preferences = first_paint.preferences
        theme = self.window.theme
        self.chat_panel = ChatPanel(theme, self.states.context, self.states.engine, self.metrics, self.states.tasks)
        self.sidebar = Sidebar(theme, self.states.chats, self.states.caches, self.states.tasks)
        self.metrics_panel = MetricsPanel(theme, self.metrics, self.states.engine)
        self.model_button = ModelButton(theme, self.states.engine, self.states.installed)
        self.window.place(Parts(self.sidebar, self.chat_panel, self.metrics_panel, self.model_button))
        self._cursor = CalmCursor(self.looks.application, parent=self.window)
        self._cursor.keep_still(still=theme.reduced_motion)
        self.commands = WindowCommands(
            self.states, self.window, self.chat_panel, self.sidebar, self.model_button, paths
        )
        aside = DraftAside(paths.config_file.parent / UNSENT_NAME)
        self.session = Session(self.states, self.window, self.chat_panel, aside)
        self.states.preferences.changed.connect(lambda _: self.apply_theme())
        self.states.engine.status_changed.connect(self._note_model)
        self.looks.application.styleHints().colorSchemeChanged.connect(self.window.system_scheme_changed)
        self.window.system_scheme_changed.connect(self.apply_theme)

    def apply_theme(self) -> None:
        """Dress everything anew: the user or the system chose another look."""
        theme = self.looks.put_on(self.states.preferences.preferences)
        self._cursor.keep_still(still=theme.reduced_motion)
        for part in (self.window, self.chat_panel, self.sidebar, self.metrics_panel, self.model_button, self.commands):
            part.apply_theme(theme)

    def record_error(self, error: BaseException, doing: str) -> None:
        """Make a crash report of an error that nothing was prepared for. Any thread."""
        self.states.crashes().record_error(error, doing)

    def _note_model(self, status: EngineStatus) -> None:
        if isinstance(status, NoModel | LoadFailed):
            self.metrics.forget_model()


def make_states(
    loop: asyncio.AbstractEventLoop, paths: AppPaths, metrics: MetricsState, start_child: StartChild
) -> States:
    """Return everything the window knows, empty yet."""
    storage = Storage(lambda: open_store(paths.data / FILE_NAME))
    tasks = Tasks(loop)

    def choose(name: str) -> ModelToLoad:
        model, settings = choose_model(name, None, paths)
        return model_to_load(model, settings, remembered_options(model, settings), paths.kv_caches)

    def make_library() -> LibraryStates:
        from desktop.state.library_states import make_library_states  # noqa: PLC0415 - most days nobody looks for models

        return make_library_states(paths, engine, metrics, settings, tasks)

    def make_bench() -> BenchStates:
        from desktop.state.bench_states import make_bench_states  # noqa: PLC0415 - likewise

        return make_bench_states(paths, engine)

    cores = usable_cores()
    settings = SettingsState(paths.config_file)

    crashes = cache(lambda: _make_crashes(paths, loop))
    engine = EngineState(
        make_supervisor(
            metrics.observe_memory,
            lambda model: text_interval_s(model, cores),
            start_child,
            lambda how: crashes().record_worker(how),
        ),
        choose,
        choose_instead=lambda model: choose_instead(model, paths),
    )
    chats = ChatListState(storage)
    chat = ChatState(storage, engine, metrics, at_context_end=lambda: settings.settings.at_context_end)
    return States(
        storage=storage,
        tasks=tasks,
        preferences=PreferencesState(storage, tasks),
        settings=settings,
        engine=engine,
        installed=InstalledState(
            lambda: list_models(paths, read_settings(paths.config_file)),
            lambda name: choose_model(name, None, paths)[0].path,
        ),
        library=LibraryStart(make_library, paths.data, paths.models),
        bench=BenchStart(make_bench),
        chats=chats,
        chat=chat,
        context=ContextState(chat, engine, settings, tasks),
        metrics=metrics,
        caches=KvCachesState(engine, chats, chat, storage, tasks, paths.kv_caches),
        crashes=crashes,
        updates=cache(lambda: _make_updates(paths)),
    )


def _make_crashes(paths: AppPaths, loop: asyncio.AbstractEventLoop) -> CrashState:
    from desktop.state.crash_state import CrashState  # noqa: PLC0415 - most days nothing crashes

    return CrashState(paths, loop)


def _make_updates(paths: AppPaths) -> UpdateState:
    from importlib.metadata import version  # noqa: PLC0415 - most days nobody asks

    from desktop.state.update_state import UpdateState  # noqa: PLC0415 - likewise

    return UpdateState(paths, version("first-token"))


def run(
    first_paint: FirstPaint,
    paths: AppPaths,
    *accompanying: Callable[[Desktop], Coroutine[object, object, None]],
) -> int:
    """Fill the window and serve it until it closes; return the exit code.

    Args:
        first_paint: the window, on the screen.
        paths: every folder.
        accompanying: run beside the window and are given up with it.
    """
    loop = qasync.QEventLoop(first_paint.looks.application)
    # qasync's own would start ten threads at once.
    loop.set_default_executor(ThreadPoolExecutor(BACKGROUND_THREADS, "background"))
    asyncio.set_event_loop(loop)
    with loop:
        desktop = Desktop(first_paint, loop, paths)
        for accompany in accompanying:
            desktop.states.tasks.start(accompany(desktop), "accompany the window")
        with recorded_errors(desktop.record_error), closed_when_told(desktop.window.close):
            loop.run_until_complete(desktop.session.run())
    return 0
