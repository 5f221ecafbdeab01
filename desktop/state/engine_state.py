"""The model that answers: loading, unloading, what it takes, and what went wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal

from runtime.client.base import EngineClient, ModelToLoad, Reply
from runtime.values.errors import EngineUnavailableError, InternalError, UserFacingError, WorkerLostError
from runtime.values.generation import GenerateRequest
from runtime.values.kv_cache import KeptCache
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import LoadedModel
from runtime.values.prompt import Prompt

log = logging.getLogger("first-token")

NEXT_STEP_AFTER_BUG = "This is a bug of First Token; Help › Crash reports has the detail. Try again, or another model."


class NoModel(msgspec.Struct, frozen=True):
    """Nothing is loaded."""


class Loading(msgspec.Struct, frozen=True):
    """A model is being loaded; `fraction` is from 0 to 1."""

    name: str
    fraction: float


class Serving(msgspec.Struct, frozen=True):
    """A model answers."""

    model: LoadedModel


class LoadFailed(msgspec.Struct, frozen=True):
    """A model could not be loaded; `error` says why and what to do."""

    name: str
    error: UserFacingError


EngineStatus = NoModel | Loading | Serving | LoadFailed


def short_name(name: str) -> str:
    """Return the last part of a model's name or path: what there is room for."""
    return Path(name).name or name


class EngineState(QObject):
    """Knows which model answers.

    Signals:
        status_changed: carries the `EngineStatus`.
        fell_back: another engine answers than was chosen; carries the `UserFacingError` that says why.
    """

    status_changed = Signal(object)
    fell_back = Signal(object)

    def __init__(
        self,
        client: EngineClient,
        choose: Callable[[str], ModelToLoad],
        parent: QObject | None = None,
        *,
        choose_instead: Callable[[ModelToLoad], ModelToLoad | None] = lambda _: None,
    ) -> None:
        super().__init__(parent)
        self._client = client
        self._choose = choose
        self._choose_instead = choose_instead
        self.status: EngineStatus = NoModel()
        self.model_name: str | None = None
        self.model_path: Path | None = None
        self._loading: asyncio.Future[EngineStatus] | None = None
        self._settled = asyncio.Event()

    @property
    def model(self) -> LoadedModel | None:
        """The model that answers; None while there is none."""
        return self.status.model if isinstance(self.status, Serving) else None

    async def load(self, name: str) -> None:
        """Load the model called `name` in place of the one that is loaded; how it ends is in `status`.

        A model that is still being loaded is given up.
        """
        self._give_up_loading()
        self.model_name = name
        self._set(Loading(name, 0.0))
        loading = self._loading = asyncio.ensure_future(self._load(name))
        try:
            status = await loading
        except asyncio.CancelledError:
            if loading is self._loading:
                raise
        else:
            if loading is self._loading:
                self._set(status)

    async def _load(self, name: str) -> EngineStatus:
        try:
            chosen = await asyncio.to_thread(self._choose, name)
            self.model_path = Path(chosen.path)
            return Serving(await self._load_chosen(name, chosen))
        except UserFacingError as error:
            return LoadFailed(name, error)
        except InternalError as error:
            log.exception("a bug while %s was loaded", name)
            return LoadFailed(name, EngineUnavailableError(error.what, NEXT_STEP_AFTER_BUG, detail=error.detail))

    async def _load_chosen(self, name: str, chosen: ModelToLoad) -> LoadedModel:
        """Load it; where its engine does not run here, the same model on another one if there is such a form."""

        def show(fraction: float) -> None:
            self._set(Loading(name, fraction))

        try:
            return await self._client.load(chosen, show)
        except (EngineUnavailableError, WorkerLostError) as error:
            instead = await asyncio.to_thread(self._choose_instead, chosen)
            if instead is None:
                raise
            log.warning("%s: %s", chosen.engine, error.detail)
            loaded = await self._client.load(instead, show)
            self.model_path = Path(instead.path)
            self.fell_back.emit(error)
            return loaded

    def _give_up_loading(self) -> None:
        loading, self._loading = self._loading, None
        if loading is not None:
            loading.cancel()

    async def ready(self) -> LoadedModel:
        """Return the model that answers, waiting while one is being loaded.

        Raises:
            UserFacingError: there is none, or it could not be loaded.
        """
        while isinstance(self.status, Loading):
            await self._settled.wait()
        match self.status:
            case Serving(model=model):
                return model
            case LoadFailed(error=error):
                raise error
            case _:
                raise EngineUnavailableError("No model is loaded.", "Choose a model first.")

    async def unload(self) -> None:
        """Give the model's memory back."""
        self._give_up_loading()
        await self._client.unload()
        self._set(NoModel())

    async def generate(self, request: GenerateRequest) -> Reply:
        """Start a reply; see `EngineClient.generate`."""
        return await self._client.generate(request)

    async def count_tokens(self, prompt: Prompt) -> int:
        """Return how many tokens `prompt` takes; see `EngineClient.count_tokens`."""
        return await self._client.count_tokens(prompt)

    async def measure_bandwidth(self) -> MemoryBandwidth | None:
        """Return how fast the model's memory can be read; see `EngineClient.measure_bandwidth`."""
        return await self._client.measure_bandwidth()

    async def kept_caches(self) -> tuple[KeptCache, ...]:
        """Return what is kept of chats in memory; see `EngineClient.kept_caches`."""
        return await self._client.kept_caches()

    async def forget_caches(self, conversation: str | None) -> None:
        """Drop what is kept of a chat in memory, or of all; see `EngineClient.forget_caches`."""
        await self._client.forget_caches(conversation)

    async def close(self) -> None:
        """End the worker."""
        await self._client.close()

    def _set(self, status: EngineStatus) -> None:
        self.status = status
        if isinstance(status, Loading):
            self._settled.clear()
        else:
            self._settled.set()
        self.status_changed.emit(status)
