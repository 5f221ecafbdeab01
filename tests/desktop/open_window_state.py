"""The window's state over a real store in a folder of its own; no worker is started."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from desktop.state.chat_list_state import ChatListState
from desktop.state.chat_settings_state import ChatSettingsState
from desktop.state.chat_state import ChatState
from desktop.state.engine_state import EngineState
from desktop.state.metrics_state import MetricsState
from desktop.state.preferences import PreferencesState
from desktop.state.storage import Storage
from desktop.state.transfer_state import TransferState
from desktop.tasks import Tasks
from runtime.client.base import ModelToLoad
from runtime.client.launch import make_supervisor
from runtime.store.opening import FILE_NAME, OpenedStore, open_store
from runtime.values.errors import FirstTokenError, ModelMissingError

PATIENCE_S = 20.0


class OpenState:
    """Every state object that settings and transfer need."""

    def __init__(self, folder: Path) -> None:
        self.storage: Storage[OpenedStore] = Storage(lambda: open_store(folder / FILE_NAME))
        self.tasks = Tasks(asyncio.get_running_loop())
        self.failures: list[FirstTokenError] = []
        self.tasks.failed.connect(self.failures.append)
        self.engine = EngineState(make_supervisor(), _no_model)
        self.chat = ChatState(self.storage, self.engine, MetricsState())
        self.chats = ChatListState(self.storage)
        self.chat_settings = ChatSettingsState(self.chat, self.storage)
        self.preferences = PreferencesState(self.storage, self.tasks)
        self.transfer = TransferState(self.storage, self.chats)


@asynccontextmanager
async def open_state(folder: Path) -> AsyncIterator[OpenState]:
    state = OpenState(folder)
    try:
        yield state
    finally:
        await state.tasks.close()
        await state.storage.close(lambda opened: opened.store.close())


async def until(condition: Callable[[], object]) -> None:
    """Let tasks and events run until `condition` holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        QCoreApplication.processEvents()
        await asyncio.sleep(0.002)


def _no_model(name: str) -> ModelToLoad:
    raise ModelMissingError(f"There is no model {name}.", "None is needed here.")
