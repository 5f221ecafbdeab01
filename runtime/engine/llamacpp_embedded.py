"""The llama-server that comes with xllamacpp, run inside this process.

xllamacpp has no type information, so what is used of it is spelled out here as protocols. Making a server and dropping
it hold the interpreter lock for as long as they take, seconds for large models: fine in a worker, never in the window.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from importlib import import_module, metadata
from typing import BinaryIO, Protocol

from runtime.engine.llamacpp_http import ServerClient
from runtime.engine.llamacpp_server import (
    BUILT_IN_TEMPLATE,
    VERBOSITY_ERRORS,
    Endpoint,
    LoadFailedError,
    ServerPlan,
    new_endpoint,
)
from runtime.values.errors import EngineUnavailableError

PACKAGE = "xllamacpp"
GPU_TYPES = ("GPU", "IGPU")
STDERR = 2
LOG_SETTLE_S = 0.2
"""llama.cpp's log is written by a thread of its own, which may still be at it when the load has already failed."""


class _Model(Protocol):
    path: str


class _Threads(Protocol):
    n_threads: int


class _Params(Protocol):
    """xllamacpp's `CommonParams`; most of its many attributes are set by name."""

    model: _Model
    cpuparams: _Threads
    cpuparams_batch: _Threads


class _KvTypes(Protocol):
    GGML_TYPE_Q8_0: object
    GGML_TYPE_Q4_0: object


class _LoadModes(Protocol):
    LLAMA_LOAD_MODE_AUTO: object
    LLAMA_LOAD_MODE_NONE: object


class _FlashAttention(Protocol):
    LLAMA_FLASH_ATTN_TYPE_ENABLED: object


class Library(Protocol):
    """The part of the package xllamacpp that is used."""

    CommonParams: Callable[[], _Params]
    Server: Callable[[_Params], object]
    ggml_type: _KvTypes
    llama_flash_attn_type: _FlashAttention
    llama_load_mode: _LoadModes
    get_system_info: Callable[[], str]
    get_device_info: Callable[[], list[Mapping[str, object]]]


def import_library() -> Library:
    """Return the package xllamacpp.

    Raises:
        EngineUnavailableError: it is not installed, or a system library that it needs is missing.
    """
    try:
        library: Library = import_module(PACKAGE)
    except ImportError as error:
        raise EngineUnavailableError(
            "llama.cpp does not run on this machine.",
            "Install the package xllamacpp, or name a llama-server in the settings.",
            detail=str(error),
        ) from error
    return library


def package_version() -> str:
    """Return for example "xllamacpp 2026.10.11549 (llama.cpp b11549)": the last part is llama.cpp's build number."""
    version = metadata.version(PACKAGE)
    return f"{PACKAGE} {version} (llama.cpp b{version.rsplit('.', 1)[-1]})"


def gpu_names(library: Library) -> tuple[str, ...]:
    """Return the names of the GPUs that the build can use."""
    return tuple(
        str(device["description"])
        for device in library.get_device_info()
        if _type_name(device["type"]).rpartition("_")[2] in GPU_TYPES
    )


def _type_name(kind: object) -> str:
    return kind.name if isinstance(kind, Enum) else ""


class EmbeddedServer:
    """A server inside this process; see `LlamaServer`."""

    def __init__(self, plan: ServerPlan) -> None:
        """Load the model.

        Raises:
            LoadFailedError: llama.cpp refuses the file.
            EngineUnavailableError: xllamacpp is not installed or does not start here.
        """
        library = import_library()
        with new_endpoint() as endpoint, _signal_handlers_kept(), tempfile.TemporaryFile() as log:
            self._endpoint = endpoint
            params = _params(library, plan, endpoint)
            with _stderr_into(log):
                try:
                    self._server: object | None = library.Server(params)
                except RuntimeError as error:
                    raise LoadFailedError(_settled_text(log) or str(error)) from error
            sys.stderr.write(_text(log))
        self._client = endpoint.client()

    @property
    def client(self) -> ServerClient:
        """See `LlamaServer.client`."""
        return self._client

    @property
    def version(self) -> str:
        """See `LlamaServer.version`."""
        return package_version()

    @property
    def system_info(self) -> str:
        """See `LlamaServer.system_info`."""
        return import_library().get_system_info()

    @property
    def gpus(self) -> tuple[str, ...]:
        """See `LlamaServer.gpus`."""
        return gpu_names(import_library())

    def resident_bytes(self) -> int:
        """See `LlamaServer.resident_bytes`: it is in this process."""
        return 0

    def why_dead(self) -> str | None:
        """See `LlamaServer.why_dead`: it lives as long as this process."""
        return None

    def close(self) -> None:
        """See `LlamaServer.close`.

        It must have answered a completion before: a server dropped before its loop has begun to run never ends.
        """
        self._server = None
        self._endpoint.remove()


def _params(library: Library, plan: ServerPlan, endpoint: Endpoint) -> _Params:
    params = library.CommonParams()
    params.model.path = str(plan.model_path)
    params.cpuparams.n_threads = plan.decode_threads
    params.cpuparams_batch.n_threads = plan.prefill_threads
    modes = library.llama_load_mode
    load_mode = modes.LLAMA_LOAD_MODE_AUTO if plan.maps_weights else modes.LLAMA_LOAD_MODE_NONE
    settings = {
        **_private(endpoint, plan),
        **_sizes(plan),
        **_kv_types(library, plan.kv_cache_bits),
        "load_mode": load_mode,
    }
    for name, value in settings.items():
        setattr(params, name, value)
    return params


def _private(endpoint: Endpoint, plan: ServerPlan) -> dict[str, object]:
    """Return the settings that keep the server to ourselves, offline and silent."""
    return {
        "hostnames": [endpoint.host],
        "port": endpoint.address.port,
        "api_keys": [endpoint.key],
        "cors_origins": "",
        "cors_credentials": False,
        "ui": False,
        "endpoint_slots": False,
        "endpoint_props": False,
        "endpoint_metrics": False,
        "offline": True,
        "verbosity": VERBOSITY_ERRORS,
        "chat_template": BUILT_IN_TEMPLATE,
        "use_jinja": False,
        "slot_save_path": f"{endpoint.slot_folder(plan)}{os.sep}",
    }


def _sizes(plan: ServerPlan) -> dict[str, object]:
    return {
        "n_ctx": plan.context_tokens * plan.parallel_requests,
        "n_parallel": plan.parallel_requests,
        "kv_unified": False,
        "n_batch": plan.batch_tokens,
        "n_ubatch": plan.batch_tokens,
        "n_threads_http": plan.parallel_requests + 1,
        "n_gpu_layers": -1 if plan.gpu_layers is None else plan.gpu_layers,
        # Fitting moves layers off a GPU that is too small, and loads the model twice to find out.
        "fit_params": plan.gpu_layers is None and plan.may_have_gpu,
        # The probe after loading does what the warm-up does.
        "warmup": False,
        "cache_ram_mib": plan.prompt_cache_mib,
        "n_ctx_checkpoints": plan.context_checkpoints,
        # Idle slots keep what they hold; copying it into the prompt cache at every request takes time and memory.
        "cache_idle_slots": False,
    }


def _kv_types(library: Library, bits: int | None) -> dict[str, object]:
    """Return the settings of a quantized KV cache, which exists with flash attention alone."""
    if bits is None:
        return {}
    kind = library.ggml_type.GGML_TYPE_Q8_0 if bits == 8 else library.ggml_type.GGML_TYPE_Q4_0
    flash_attention = library.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
    return {"cache_type_k": kind, "cache_type_v": kind, "flash_attn_type": flash_attention}


@contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    """Undo that a starting server takes SIGINT and SIGTERM for itself, for the process would then ignore them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def _stderr_into(log: BinaryIO) -> Iterator[None]:
    """Send what native code writes to stderr into `log`.

    A file and not a pipe: nobody could empty a pipe while the native code holds the interpreter lock.
    """
    sys.stderr.flush()
    kept = os.dup(STDERR)
    try:
        os.dup2(log.fileno(), STDERR)
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)


def _text(log: BinaryIO) -> str:
    log.seek(0)
    return log.read().decode("utf-8", "replace")


def _settled_text(log: BinaryIO) -> str:
    """Return what `log` holds once it has stopped growing, or is there at all."""
    deadline = time.monotonic() + LOG_SETTLE_S
    text = _text(log)
    while time.monotonic() < deadline:
        time.sleep(LOG_SETTLE_S / 10)
        before, text = text, _text(log)
        if text and text == before:
            break
    return text
