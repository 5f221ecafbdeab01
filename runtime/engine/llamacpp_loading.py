"""From a GGUF file to a server that has proved it computes, and what it means if one does not get there."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from runtime.engine.llamacpp_build import EngineBuild, describe_build
from runtime.engine.llamacpp_embedded import EmbeddedServer
from runtime.engine.llamacpp_http import ServerClient
from runtime.engine.llamacpp_native import NativeServer, find_llama_server
from runtime.engine.llamacpp_server import LlamaServer, LoadFailedError, ServerPlan
from runtime.engine.llamacpp_wire import COMPLETION_PATH, Probe, not_numbers, not_understood, probe_body
from runtime.library.defects import broken, shown, unsupported
from runtime.library.gguf_vocabulary import check_tokens_differ
from runtime.library.reader import read_spec
from runtime.library.spec import ModelSpec
from runtime.metrics.device import DeviceInfo
from runtime.values.errors import EngineUnavailableError, FirstTokenError, MemoryShortError
from runtime.values.model import LoadOptions, ModelFormat

PROBE_TOKEN = 0
PROBE_TIMEOUT_S = 600.0
"""The first token reads all weights from the disk."""
SAME_LOGPROB = 1e-4

REASON = re.compile(r"error loading model: (?:error loading model \w+: )?(.+)")
UNKNOWN = re.compile(r"unknown (?:model architecture|pre-tokenizer type|tokenizer)[^\n]*")
OUT_OF_MEMORY = re.compile(
    r"failed to allocate|unable to allocate|insufficient memory|out of memory|cudaMalloc", re.IGNORECASE
)


def read_gguf(path: Path) -> ModelSpec:
    """Return what the GGUF file at `path` is; see `read_spec` and `check_tokens_differ` for what is raised."""
    spec = read_spec(path)
    if spec.format is not ModelFormat.GGUF:
        raise unsupported(spec.path, "llama.cpp reads GGUF files, not MLX directories", "Use the engine mlx for it.")
    check_tokens_differ(spec.path)
    return spec


class ServerChoice(msgspec.Struct, frozen=True):
    """Which server runs the model.

    Attributes:
        program: a native `llama-server`; None for the embedded one.
        was_named: whether the user named it, rather than merely having it on PATH.
        build: the embedded one; None if there is none here.
    """

    program: str | None
    was_named: bool
    build: EngineBuild | None

    @property
    def may_have_gpu(self) -> bool:
        """Whether it can use a GPU, or might: a native server does not say before it runs."""
        return self.program is not None or bool(self.build and self.build.gpus)

    @property
    def advice(self) -> str | None:
        """What would be faster."""
        return self.build.advice if self.program is None and self.build else None


def choose_server(options: LoadOptions, environment: Mapping[str, str], device: DeviceInfo) -> ServerChoice:
    """Return the native server if it is named, or on PATH and likely faster than the embedded one; else the latter.

    Raises:
        SettingsError: a server is named and is not there.
        EngineUnavailableError: there is none at all.
    """
    program = find_llama_server(options.llama_server, environment)
    was_named = options.llama_server is not None
    try:
        build = describe_build(device.simd)
    except EngineUnavailableError:
        if program is None:
            raise
        return ServerChoice(program, was_named, None)
    wanted = was_named or build.native_server_would_pay
    return ServerChoice(program if wanted else None, was_named, build)


def start_server(plan: ServerPlan, choice: ServerChoice, environment: Mapping[str, str]) -> LlamaServer:
    """Start the server that was chosen, with the model loaded.

    A native server that nobody named gives way to the embedded one if it fails.

    Raises:
        LoadFailedError: it did not load the model.
    """
    if choice.program is None:
        return EmbeddedServer(plan)
    try:
        return NativeServer(choice.program, plan, environment)
    except (LoadFailedError, FirstTokenError):
        if choice.was_named or choice.build is None:
            raise
        return EmbeddedServer(plan)


def load_error(spec: ModelSpec, failure: LoadFailedError, program: str | None) -> FirstTokenError:
    """Return what a failed load means to the user; the server's own words are the detail."""
    log = str(failure)
    if OUT_OF_MEMORY.search(log):
        return MemoryShortError(
            f"There was not enough memory to load {shown(spec.name)}.",
            "Close other programs, or choose a shorter context or a smaller model.",
            detail=log,
        )
    if unknown := UNKNOWN.search(log):
        error = unsupported(spec.path, f"llama.cpp says {shown(unknown.group())}")
        error.detail = log
        return error
    if reason := REASON.search(log):
        return broken(spec.path, f"llama.cpp says {shown(reason.group(1))}", log)
    if program is not None:
        return EngineUnavailableError(
            f"{shown(program)} did not start.",
            "Update it, or remove it from the settings to use the built-in.",
            detail=log,
        )
    return broken(spec.path, "llama.cpp cannot load it", log)


def check_computes(client: ServerClient, spec: ModelSpec) -> None:
    """Have the model choose one token, and see whether that was a choice: damaged weights load without a complaint.

    Raises:
        ModelBrokenError: it computes NaN, or finds every token equally probable.
    """
    reply = client.call(COMPLETION_PATH, msgspec.json.encode(probe_body(PROBE_TOKEN)), timeout_s=PROBE_TIMEOUT_S)
    try:
        choices = msgspec.json.decode(reply, type=Probe).completion_probabilities
    except msgspec.DecodeError as error:
        raise not_understood(reply) from error
    logprobs = [alternative.logprob for choice in choices for alternative in choice.top_logprobs]
    if any(logprob is None for logprob in logprobs):
        raise not_numbers()
    # Of a token that ends within a character the server says nothing, for it waits for the rest.
    if logprobs and logprobs[0] is not None and abs(logprobs[0] + math.log(spec.vocabulary_size)) < SAME_LOGPROB:
        raise broken(spec.path, "to it every word is as probable as every other, so its weights are damaged")
