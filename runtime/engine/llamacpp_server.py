"""What a llama-server is to the engine, whichever it is: how it is set up, where it listens, and that it can be closed.

Both kinds listen on a Unix socket in a folder that only this user can enter; where Python has none (Windows), on a
port of the loopback address. Both ask for a random key on top. Neither ever reads the model's chat template, which is
hostile input: they get a built-in one instead and never use it, because prompts reach them as token ids.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import Protocol

import msgspec

from runtime.engine.llamacpp_http import LOOPBACK, ServerAddress, ServerClient

FOLDER_PREFIX = "first-token-"
SOCKET_NAME = "llama.sock"
MAX_SOCKET_PATH_BYTES = 100
"""A Unix socket's path has room for 104 bytes on macOS and 108 on Linux."""

ABANDONED_AFTER_S = 60
"""A younger socket may belong to a server that is about to listen."""

BUILT_IN_TEMPLATE = "chatml"
VERBOSITY_ERRORS = 1
KEY_BYTES = 32


class LoadFailedError(Exception):
    """A server did not load its model; the text is what it had to say."""


class ServerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a server is to run.

    Attributes:
        model_path: the (first) GGUF file.
        context_tokens: context of each request.
        parallel_requests: requests at the same time, each with a context of its own.
        decode_threads: CPU threads for writing.
        prefill_threads: CPU threads for reading the prompt.
        batch_tokens: prompt tokens evaluated at once; a cancel waits for at most one such batch.
        gpu_layers: layers on the GPU; None puts as many there as fit.
        may_have_gpu: whether the machine or the build might have a GPU to use.
        kv_cache_bits: 4 or 8 quantizes the KV cache.
        prompt_cache_mib: memory for the KV caches of conversations that others have displaced.
        maps_weights: whether weights are used where they lie in the file; False reads them into memory of their own.
        context_checkpoints: how often sliding windows and recurrent states of a conversation are kept, to go back to.
        slot_folder: where slots may be saved to and restored from; None: they may not.
    """

    model_path: Path
    context_tokens: int
    parallel_requests: int
    decode_threads: int
    prefill_threads: int
    batch_tokens: int
    gpu_layers: int | None
    may_have_gpu: bool
    kv_cache_bits: int | None
    prompt_cache_mib: int
    maps_weights: bool = True
    context_checkpoints: int = 1
    slot_folder: Path | None = None


class LlamaServer(Protocol):
    """A running llama-server with the model loaded."""

    @property
    def client(self) -> ServerClient:
        """Speaks to it, with its key."""
        ...

    @property
    def version(self) -> str:
        """Name and version, for example "llama-server b6000"."""
        ...

    @property
    def system_info(self) -> str:
        """What llama.cpp says of the instruction sets it uses; empty if it said nothing."""
        ...

    @property
    def gpus(self) -> tuple[str, ...]:
        """Names of the GPUs that it can put layers on."""
        ...

    def resident_bytes(self) -> int:
        """Return what it has in memory outside this process."""
        ...

    def why_dead(self) -> str | None:
        """Return the last words of a server that has ended; None as long as it runs."""
        ...

    def close(self) -> None:
        """End it and give its memory back. Idempotent."""
        ...


class Endpoint(msgspec.Struct, frozen=True):
    """Where a server is to listen, and the key it is to ask for."""

    address: ServerAddress
    key: str
    folder: Path | None

    @property
    def host(self) -> str:
        """The address as llama-server's option `--host` takes it."""
        return self.address.socket_path or LOOPBACK

    def slot_folder(self, plan: ServerPlan) -> Path:
        """Return the folder for slot files: without one, a server does not even erase a slot when it is told to."""
        return plan.slot_folder or self.folder or Path(tempfile.gettempdir())

    def client(self) -> ServerClient:
        """Return a client for the server there."""
        return ServerClient(self.address, self.key)

    def remove(self) -> None:
        """Remove the socket and its folder."""
        if self.folder is not None:
            rmtree(self.folder, ignore_errors=True)


@contextmanager
def new_endpoint() -> Iterator[Endpoint]:
    """Make a private place to listen; it is removed again if what is done with it fails."""
    key = secrets.token_hex(KEY_BYTES)
    folder = _private_folder()
    if folder is None:
        yield Endpoint(ServerAddress(port=_free_port()), key, None)
        return
    endpoint = Endpoint(ServerAddress(socket_path=str(folder / SOCKET_NAME)), key, folder)
    try:
        yield endpoint
    except BaseException:
        endpoint.remove()
        raise


def _private_folder() -> Path | None:
    """Return a new folder of mode 0700 for a Unix socket, or None where there can be none."""
    if sys.platform == "win32":
        return None
    remove_abandoned(Path(tempfile.gettempdir()), time.time())
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    if len(os.fsencode(folder / SOCKET_NAME)) > MAX_SOCKET_PATH_BYTES:
        folder.rmdir()
        return None
    return folder


def remove_abandoned(parent: Path, now_s: float) -> None:
    """Remove the folders in `parent` that killed workers have left: with a socket at which nobody listens any more."""
    for socket_path in parent.glob(f"{FOLDER_PREFIX}*/{SOCKET_NAME}"):
        with suppress(OSError):  # another user's, or another worker is removing it
            if now_s - socket_path.stat().st_mtime > ABANDONED_AFTER_S and not _is_heard(socket_path):
                rmtree(socket_path.parent, ignore_errors=True)


def _is_heard(socket_path: Path) -> bool:
    try:
        ServerAddress(socket_path=str(socket_path)).connect().close()
    except ConnectionRefusedError:
        return False
    return True


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
