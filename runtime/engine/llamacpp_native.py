"""A native `llama-server`, built for this machine by whoever installed it, as a child process.

Its options reach it as arguments where every version knows them, and as environment variables, which older versions
ignore, where they only make it keep more to itself. The key is a secret and never an argument.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from shutil import which
from threading import Thread
from typing import IO

import msgspec

from runtime.engine.llamacpp_guard import end_guarded, output_of, start_guarded
from runtime.engine.llamacpp_http import ServerClient
from runtime.engine.llamacpp_server import BUILT_IN_TEMPLATE, Endpoint, LoadFailedError, ServerPlan, new_endpoint
from runtime.engine.llamacpp_wire import HEALTH_PATH, PROPS_PATH, Props
from runtime.metrics.memory import tree_resident_bytes_reader
from runtime.values.errors import FirstTokenError, SettingsError

PROGRAM = "llama-server"
OPTION_PREFIX = "LLAMA_"
DEVICE_LINE = re.compile(r"using device \S+ \(([^()]+)\)")
LOG_LINES = 400
LAST_LINES = 40
POLL_S = 0.05
ANSWER_TIMEOUT_S = 5.0
LOAD_TIMEOUT_S = 1800.0
"""Beyond this a load is taken for hung: a large model on a slow disk takes many minutes."""


def find_llama_server(named: str | None, environment: Mapping[str, str]) -> str | None:
    """Return the path of the `llama-server` that `named` names, or of the one on PATH if none is named, or None.

    Raises:
        SettingsError: one is named and is not there.
    """
    found = which(named or PROGRAM, path=environment.get("PATH", ""))
    if named and found is None:
        raise SettingsError(
            f"There is no llama-server at {named}.",
            "Correct the path in the settings, or remove it to use the built-in.",
        )
    return found


class NativeServer:
    """A server in a process of its own; see `LlamaServer`."""

    def __init__(self, program: str, plan: ServerPlan, environment: Mapping[str, str]) -> None:
        """Start `program` and wait until it has loaded the model.

        Raises:
            LoadFailedError: it ended instead; the text is its log.
        """
        with new_endpoint() as endpoint:
            self._endpoint = endpoint
            self._client = endpoint.client()
            try:
                self._process = start_guarded(
                    [program, *_arguments(plan, endpoint)], _environment(environment, endpoint, plan)
                )
            except OSError as error:
                raise LoadFailedError(f"{program}: {error}") from error
            self._log = _Log(output_of(self._process))
            try:
                self._wait_until_loaded()
                self._version = _version(self._client)
                self._read_resident = tree_resident_bytes_reader(self._process.pid)
            except BaseException:
                self.close()
                raise

    @property
    def client(self) -> ServerClient:
        """See `LlamaServer.client`."""
        return self._client

    @property
    def version(self) -> str:
        """See `LlamaServer.version`."""
        return self._version

    @property
    def system_info(self) -> str:
        """See `LlamaServer.system_info`."""
        return self._log.system_info

    @property
    def gpus(self) -> tuple[str, ...]:
        """See `LlamaServer.gpus`."""
        return tuple(self._log.gpus)

    def resident_bytes(self) -> int:
        """See `LlamaServer.resident_bytes`."""
        return self._read_resident()

    def why_dead(self) -> str | None:
        """See `LlamaServer.why_dead`."""
        code = self._process.poll()
        return None if code is None else f"llama-server ended with code {code}\n{self._log.tail()}"

    def close(self) -> None:
        """See `LlamaServer.close`."""
        end_guarded(self._process)
        self._log.close()
        self._endpoint.remove()

    def _wait_until_loaded(self) -> None:
        deadline = time.monotonic() + LOAD_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._log.close()
                raise LoadFailedError(self._log.tail())
            with suppress(FirstTokenError):  # not listening yet, or still loading
                self._client.call(HEALTH_PATH, timeout_s=ANSWER_TIMEOUT_S)
                return
            time.sleep(POLL_S)
        raise LoadFailedError(f"not loaded after {LOAD_TIMEOUT_S:.0f} s\n{self._log.tail()}")


class _Log:
    """Keeps the last lines that a process writes; a thread empties the pipe, or the process would wait for it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._lines: deque[str] = deque(maxlen=LOG_LINES)
        self.system_info = ""
        self.gpus: list[str] = []
        self._thread = Thread(target=self._read, name="llama-server-log", daemon=True)
        self._thread.start()

    def tail(self) -> str:
        """Return the last lines."""
        return "".join(list(self._lines)[-LAST_LINES:])

    def close(self) -> None:
        """Wait for the end of the log, which comes with the end of the process."""
        self._thread.join(ANSWER_TIMEOUT_S)

    def _read(self) -> None:
        with self._stream as stream:
            for line in stream:
                self._take(line.decode("utf-8", "replace"))

    def _take(self, line: str) -> None:
        self._lines.append(line)
        if "system_info" in line:
            self.system_info = line
        if device := DEVICE_LINE.search(line):
            self.gpus.append(device.group(1))


def _arguments(plan: ServerPlan, endpoint: Endpoint) -> list[str]:
    arguments = [
        *("--model", str(plan.model_path)),
        *("--host", endpoint.host),
        *("--ctx-size", str(plan.context_tokens * plan.parallel_requests)),
        *("--parallel", str(plan.parallel_requests)),
        *("--threads", str(plan.decode_threads)),
        *("--threads-batch", str(plan.prefill_threads)),
        *("--batch-size", str(plan.batch_tokens)),
        *("--ubatch-size", str(plan.batch_tokens)),
        *("--chat-template", BUILT_IN_TEMPLATE),
        *("--slot-save-path", str(endpoint.slot_folder(plan))),
    ]
    if endpoint.address.port:
        arguments += ["--port", str(endpoint.address.port)]
    if plan.gpu_layers is not None:
        arguments += ["--n-gpu-layers", str(plan.gpu_layers)]
    if plan.kv_cache_bits is not None:
        kind = "q8_0" if plan.kv_cache_bits == 8 else "q4_0"
        arguments += ["--cache-type-k", kind, "--cache-type-v", kind, "--flash-attn", "on"]
    return arguments


def _environment(base: Mapping[str, str], endpoint: Endpoint, plan: ServerPlan) -> dict[str, str]:
    """Return `base` without the options that the user may have set for other uses, with ours and the key."""
    kept = {name: value for name, value in base.items() if not name.startswith(OPTION_PREFIX)}
    return {
        **kept,
        "LLAMA_API_KEY": endpoint.key,
        "LLAMA_OFFLINE": "1",
        "LLAMA_ARG_OFFLINE": "1",
        "LLAMA_ARG_UI": "0",
        "LLAMA_ARG_WEBUI": "0",
        "LLAMA_ARG_JINJA": "0",
        "LLAMA_ARG_ENDPOINT_SLOTS": "0",
        "LLAMA_ARG_CORS_ORIGINS": "",
        "LLAMA_ARG_KV_UNIFIED": "0",
        "LLAMA_ARG_CACHE_RAM": str(plan.prompt_cache_mib),
        "LLAMA_ARG_CACHE_IDLE_SLOTS": "0",
        "LLAMA_ARG_CTX_CHECKPOINTS": str(plan.context_checkpoints),
    }


def _version(client: ServerClient) -> str:
    reply = client.call(PROPS_PATH, timeout_s=ANSWER_TIMEOUT_S)
    try:
        build = msgspec.json.decode(reply, type=Props).build_info
    except msgspec.DecodeError:
        build = ""
    return f"{PROGRAM} {build.partition('-')[0]}".strip()
