"""Launching models of this installation: settings, the model the user named, and a supervised worker for it.

What the command line and the window both begin with.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from runtime.client.base import ModelToLoad
from runtime.client.supervisor import Supervisor
from runtime.client.worker_client import BatchInterval, CrashCallback, StartChild, WorkerClient, as_it_comes
from runtime.config.paths import AppPaths, process_environment
from runtime.config.settings import ModelSettings, Settings, read_settings
from runtime.library.local import ResolvedModel, engine_platform, resolve_model
from runtime.metrics.device import read_device
from runtime.values.generation import MemoryFigures
from runtime.values.model import EngineName, KvStoreOptions, LoadOptions
from runtime.worker.child import WorkerChild, WorkerExit, worker_command, worker_environment
from runtime.worker.protocol import FromWorker


def start_worker_child(
    on_messages: Callable[[list[FromWorker]], None], on_exit: Callable[[WorkerExit], None]
) -> WorkerChild:
    """Start a worker process of this installation."""
    return WorkerChild(worker_command(), worker_environment(process_environment()), on_messages, on_exit)


def make_supervisor(
    on_memory: Callable[[MemoryFigures], None] | None = None,
    batch_interval: BatchInterval = as_it_comes,
    start_child: StartChild = start_worker_child,
    on_crash: CrashCallback | None = None,
) -> Supervisor:
    """Return a client for workers of this installation; none is started yet. See `WorkerClient.start`."""
    return Supervisor(lambda: WorkerClient.start(start_child, on_memory, batch_interval, on_crash))


def parse_engine(name: str) -> EngineName | None:
    """Return the engine of that name; None for "auto"."""
    return None if name == "auto" else EngineName(name)


def choose_model(name: str | None, engine: str | None, paths: AppPaths) -> tuple[ResolvedModel, Settings]:
    """Resolve what the user asked for, with the settings filling what was not said.

    Raises:
        UserFacingError: no such model, or an engine that cannot run it here.
    """
    settings = read_settings(paths.config_file)
    wanted = parse_engine(engine) if engine is not None else settings.engine
    platform = engine_platform(read_device(), settings, process_environment())
    return resolve_model(name or settings.default_model, wanted, paths, settings, platform), settings


def choose_instead(model: ModelToLoad, paths: AppPaths) -> ModelToLoad | None:
    """Return the demo model for llama.cpp where MLX was to run it and does not; None for every other model.

    Only the demo model is there in both formats. Raises:
        UserFacingError: llama.cpp is not here either.
    """
    if model.engine is not EngineName.MLX or not model.options.is_demo:
        return None
    found, settings = choose_model(model.options.model_name, EngineName.LLAMACPP.value, paths)
    return model_to_load(found, settings, remembered_options(found, settings))


def remembered_options(model: ResolvedModel, settings: Settings) -> LoadOptions:
    """Return the options that were chosen for `model` and remembered."""
    chosen = settings.model_settings.get(str(model.path), ModelSettings())
    return LoadOptions(context_tokens=chosen.context_tokens, kv_cache_bits=chosen.kv_cache_bits)


def model_to_load(
    model: ResolvedModel, settings: Settings, options: LoadOptions | None = None, kv_caches: Path | None = None
) -> ModelToLoad:
    """Return how to load `model`: `options`, completed by the settings and the model's name.

    `kv_caches` is the folder for KV caches, where chats are to go on from there; a benchmark wants none.
    """
    chosen = options or LoadOptions()
    kv_store = KvStoreOptions(folder=str(kv_caches), budget_bytes=settings.kv_disk_bytes) if kv_caches else None
    return ModelToLoad(
        engine=model.engine,
        path=str(model.path),
        options=msgspec.structs.replace(
            chosen,
            model_name=model.name,
            is_demo=model.is_demo,
            threads=chosen.threads or settings.threads,
            llama_server=chosen.llama_server or settings.llama_server,
            kv_budget_bytes=settings.kv_memory_bytes,
            kv_store=kv_store if settings.keep_kv_caches else None,
        ),
    )
