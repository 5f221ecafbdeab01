"""What the system asks the app to open: a model's file, a link to a model on the Hub, or just its window.

It comes with the command line (`--open`), from a second start, or, on macOS, as an event.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QUrl
from PySide6.QtGui import QFileOpenEvent

from desktop.app import Desktop
from desktop.instance import Instance
from desktop.state.engine_state import EngineState, NoModel

SCHEME = "first-token"
HUB_MODEL = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


class ModelFile(msgspec.Struct, frozen=True):
    """A model on this machine."""

    path: Path


class HubModel(msgspec.Struct, frozen=True):
    """A model on the Hub, by its owner and name."""

    repo_id: str


class NotUnderstood(msgspec.Struct, frozen=True):
    """Something else."""

    text: str


Opening = ModelFile | HubModel | NotUnderstood | None


def opening_of(wanted: str) -> Opening:
    """Return what `wanted` means: a path, a `file:` address, or `first-token://model/OWNER/NAME`; None for nothing."""
    if not wanted:
        return None
    url = QUrl(wanted)
    if url.scheme() == SCHEME:
        repo_id = url.path().strip("/")
        is_model = url.host() == "model" and HUB_MODEL.fullmatch(repo_id) is not None
        return HubModel(repo_id) if is_model else NotUnderstood(wanted)
    if url.isLocalFile():
        return ModelFile(Path(url.toLocalFile()))
    return NotUnderstood(wanted) if "://" in wanted else ModelFile(Path(wanted).absolute())


class FileOpenEvents(QObject):
    """Tells of the events with which macOS asks to open something."""

    def __init__(self, take: Callable[[str], None], parent: QObject) -> None:
        super().__init__(parent)
        self._take = take

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take those; leave everything else."""
        if isinstance(event, QFileOpenEvent):
            self._take(event.url().toString() if event.url().isValid() else event.file())
            return True
        return super().eventFilter(watched, event)


class Openings:
    """Does what is asked."""

    def __init__(self, instance: Instance, wanted: str) -> None:
        self._instance = instance
        self._wanted = wanted

    async def serve(self, desktop: Desktop) -> None:
        """Open what this start was asked to, and from then on what others are."""
        if self._wanted:
            await asked_for_model(desktop.states.engine)
            self._open(desktop, self._wanted)
        application = QCoreApplication.instance()
        if application is not None:
            application.installEventFilter(FileOpenEvents(lambda wanted: self._open(desktop, wanted), desktop.window))
        self._instance.listen(lambda wanted: self._open(desktop, wanted), desktop.window)

    def _open(self, desktop: Desktop, wanted: str) -> None:
        window = desktop.window
        window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
        window.raise_()
        window.activateWindow()
        match opening_of(wanted):
            case ModelFile(path=path):
                desktop.commands.load_and_chat(str(path))
            case HubModel(repo_id=repo_id):
                desktop.commands.find_models(repo_id)
            case NotUnderstood(text=text):
                window.notices.show_error(
                    QCoreApplication.translate("Openings", "{text} is not a link that First Token understands.").format(
                        text=text[:200]
                    )
                )
            case None:
                return


async def asked_for_model(engine: EngineState) -> None:
    """Wait until the window has begun to load the model of its last run: what is loaded after that stays."""
    begun = asyncio.Event()
    engine.status_changed.connect(lambda _: begun.set())
    if isinstance(engine.status, NoModel):
        await begun.wait()
