"""llama.cpp behind the stepped `Engine` protocol: a client of a private llama-server, embedded or native.

The server runs on threads, or in a process, of its own. A step waits a moment for what it has to say, stamps what has
arrived, and returns; requests that the server has no room for wait here.
"""

from __future__ import annotations

import selectors
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter_ns

import msgspec

from runtime.config.paths import process_environment
from runtime.engine.base import EngineMemory, LoadProgressCallback
from runtime.engine.evaluated_tokens import EvaluatedTokens
from runtime.engine.generation import Generation
from runtime.engine.llamacpp_bandwidth import memory_reader
from runtime.engine.llamacpp_build import device_text
from runtime.engine.llamacpp_conversations import Conversations
from runtime.engine.llamacpp_http import lost
from runtime.engine.llamacpp_keeping import make_slot_folder, open_conversations
from runtime.engine.llamacpp_loading import check_computes, choose_server, load_error, read_gguf, start_server
from runtime.engine.llamacpp_plan import KV_CACHE_BITS, plan_server
from runtime.engine.llamacpp_running import RunningRequest
from runtime.engine.llamacpp_server import LlamaServer, LoadFailedError, ServerPlan
from runtime.engine.llamacpp_threads import busy_cores
from runtime.engine.llamacpp_tokenizer import ServerTokenizer
from runtime.library.decode_reads import decode_reads
from runtime.library.fit import kv_cache_bytes
from runtime.library.spec import ModelSpec
from runtime.metrics.bandwidth import MemoryReader
from runtime.metrics.device import DeviceInfo, read_device
from runtime.values.errors import EngineUnavailableError
from runtime.values.generation import Cancelled, GenerateRequest, GenerationEvent
from runtime.values.kv_cache import KeptCache
from runtime.values.model import Capabilities, EngineName, LoadedModel, LoadOptions
from runtime.values.prompt import Prompt

MAX_TOP_LOGPROBS = 1000
STEP_S = 0.02
HEADER_READ, LOADED, CHECKED = 0.05, 0.9, 1.0
"""Fractions of a load: llama.cpp does not say how far it is."""


class _Loaded(msgspec.Struct, frozen=True):
    """Everything about the loaded model."""

    spec: ModelSpec
    plan: ServerPlan
    server: LlamaServer
    tokenizer: ServerTokenizer
    description: LoadedModel
    conversations: Conversations


class LlamaCppEngine:
    """Runs one GGUF model. As many requests run together as it was loaded for."""

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        measure_busy_cores: Callable[[], float] = busy_cores,
        read_device: Callable[[], DeviceInfo] = read_device,
    ) -> None:
        self._environment = process_environment() if environment is None else environment
        self._measure_busy_cores = measure_busy_cores
        self._read_device = read_device
        self._model: _Loaded | None = None
        self._queue: deque[GenerateRequest] = deque()
        self._running: list[RunningRequest] = []
        self._ready: list[GenerationEvent] = []
        self._selector = selectors.DefaultSelector()
        self._evaluated = EvaluatedTokens()

    def load(self, path: Path, options: LoadOptions, on_progress: LoadProgressCallback) -> LoadedModel:
        """See `Engine.load`; `path` is a GGUF file."""
        started_ns = options.requested_ns or perf_counter_ns()
        self.unload()
        spec = read_gguf(path)
        on_progress(HEADER_READ)
        device = self._read_device()
        choice = choose_server(options, self._environment, device)
        plan = plan_server(spec, options, device, self._measure_busy_cores, may_have_gpu=choice.may_have_gpu)
        plan = msgspec.structs.replace(plan, slot_folder=make_slot_folder(options.kv_store))
        try:
            server = start_server(plan, choice, self._environment)
        except LoadFailedError as failure:
            raise load_error(spec, failure, choice.program) from failure
        on_progress(LOADED)
        try:
            # The check comes first: a server that has not computed anything yet cannot be closed.
            check_computes(server.client, spec)
            tokenizer = ServerTokenizer(server.client, spec)
            description = _description(spec, options, plan, server, started_ns)
            description = msgspec.structs.replace(description, advice=choice.advice)
        except BaseException:
            server.close()
            raise
        on_progress(CHECKED)
        conversations = open_conversations(server, plan, spec, description, options, choice.program)
        self._model = _Loaded(spec, plan, server, tokenizer, description, conversations)
        return description

    def submit(self, request: GenerateRequest) -> None:
        """See `Engine.submit`."""
        self._loaded().conversations.pause()
        self._queue.append(request)

    def step(self) -> list[GenerationEvent]:
        """See `Engine.step`: take requests up, wait a moment for the server, and pass on all that has arrived."""
        events, self._ready = self._ready, []
        if self._queue:
            events += self._take_up_waiting(self._loaded())
        if self._running:
            events += self._read(wait=not events)
        if events and self._model is not None and not self.busy():
            self._model.conversations.write_soon(events)
        return events

    def cancel(self, request_id: int) -> None:
        """See `Engine.cancel`. The server is told at once."""
        for request in [request for request in self._queue if request.id == request_id]:
            self._queue.remove(request)
            self._ready.append(Cancelled(request_id, None))
        for running in [running for running in self._running if running.generation.request.id == request_id]:
            self._drop(running)
            self._ready.append(running.generation.cancelled())

    def busy(self) -> bool:
        """See `Engine.busy`."""
        return bool(self._queue or self._running or self._ready)

    def count_tokens(self, prompt: Prompt) -> int:
        """See `Engine.count_tokens`."""
        return len(self.tokenize(prompt))

    def tokenize(self, prompt: Prompt) -> tuple[int, ...]:
        """See `Engine.tokenize`."""
        return self._loaded().tokenizer.tokenize(prompt).token_ids

    def memory(self) -> EngineMemory:
        """See `Engine.memory`.

        The KV cache is that of the tokens in the context: of the running requests, or of the last one, whose keys and
        values stay for the next. The server has reserved room for all contexts from the start; what of it is still
        empty counts as compute buffers.
        """
        model = self._loaded()
        bits = model.plan.kv_cache_bits
        tokens = [running.context_tokens for running in self._running] or [model.conversations.last_tokens]
        used_bytes = sum(kv_cache_bytes(model.spec, count, bits) for count in tokens)
        reserved_bytes = kv_cache_bytes(model.spec, model.plan.context_tokens, bits) * model.plan.parallel_requests
        return EngineMemory(
            weights_bytes=model.spec.weights_bytes,
            kv_cache_bytes=used_bytes,
            compute_buffer_bytes=max(0, reserved_bytes - used_bytes),
            server_resident_bytes=model.server.resident_bytes(),
        )

    def memory_reader(self) -> MemoryReader | None:
        """See `Engine.memory_reader`."""
        model = self._loaded()
        layers = model.plan.gpu_layers
        return memory_reader(
            self._read_device(),
            uses_gpu=bool(model.server.gpus) and layers != 0,
            is_split=layers is not None and layers <= model.spec.layers,
            threads=model.plan.decode_threads,
        )

    def kept_caches(self) -> tuple[KeptCache, ...]:
        """See `Engine.kept_caches`: as far as is known, for the server does not tell."""
        return self._loaded().conversations.kept()

    def forget_caches(self, conversation: str | None) -> None:
        """See `Engine.forget_caches`."""
        self._evaluated.forget(conversation)
        conversations = self._loaded().conversations
        conversations.forget(conversation)
        if not self.busy():
            conversations.write_soon(())

    def unload(self) -> None:
        """See `Engine.unload`. The embedded server gives back nearly all; the end of the process is sure."""
        for request in [*self._queue, *(running.generation.request for running in self._running)]:
            self.cancel(request.id)
        self._evaluated.forget(None)
        model, self._model = self._model, None
        if model is not None:
            model.conversations.close()
            model.server.close()

    def _loaded(self) -> _Loaded:
        if self._model is None:
            raise EngineUnavailableError("No model is loaded.", "Choose a model first.")
        return self._model

    def _take_up_waiting(self, model: _Loaded) -> list[GenerationEvent]:
        """Take up as many as may run; while the server saves a slot, which nothing can stop, they wait here."""
        if model.conversations.is_held_up:
            model.conversations.wait(STEP_S)
        events: list[GenerationEvent] = []
        while self._queue and not model.conversations.is_held_up and len(self._running) < model.plan.parallel_requests:
            events += self._take_up(self._queue.popleft(), model)
        return events

    def _take_up(self, request: GenerateRequest, model: _Loaded) -> list[GenerationEvent]:
        running = RunningRequest(Generation(request, model.description, self.memory))
        kept = self._evaluated.of(request.conversation) or model.conversations.tokens_on_disk(request.conversation)
        limit_tokens = model.plan.context_tokens
        events = running.start(model.server.client, model.tokenizer, limit_tokens, model.conversations, kept)
        if not running.generation.ended:
            self._running.append(running)
            self._selector.register(running, selectors.EVENT_READ, running)
        elif running.slot is not None:
            model.conversations.leave(running.slot, running.held)
        return events

    def _read(self, *, wait: bool) -> list[GenerationEvent]:
        """Return what has arrived for the running requests, waiting up to 20 ms for anything at all."""
        ready = {key.data for key, _ in self._selector.select(STEP_S if wait else 0)}
        events: list[GenerationEvent] = []
        for running in list(self._running):
            if running in ready or not ready:
                events += running.read()
            if running.generation.ended:
                self._drop(running)
        if not ready:
            events += self._end_if_dead()
        return events

    def _end_if_dead(self) -> list[GenerationEvent]:
        last_words = self._loaded().server.why_dead()
        if last_words is None:
            return []
        ending = list(self._running)
        for running in ending:
            self._drop(running)
        return [running.generation.failed(lost(last_words)) for running in ending]

    def _drop(self, running: RunningRequest) -> None:
        self._selector.unregister(running)
        running.hang_up()
        self._running.remove(running)
        if running.slot is not None:
            self._loaded().conversations.leave(running.slot, running.held)
        self._evaluated.note(running.generation.request.conversation, running.evaluated)


def _description(
    spec: ModelSpec, options: LoadOptions, plan: ServerPlan, server: LlamaServer, started_ns: int
) -> LoadedModel:
    gpus = server.gpus if plan.gpu_layers != 0 else ()
    return LoadedModel(
        name=options.model_name or spec.name,
        engine=EngineName.LLAMACPP,
        engine_version=server.version,
        device=device_text(gpus, server.system_info, plan.decode_threads),
        quantization=spec.quantization,
        weights_bytes=spec.weights_bytes,
        context_limit_tokens=plan.context_tokens,
        vocabulary_size=spec.vocabulary_size,
        load_started_ns=started_ns,
        load_ended_ns=perf_counter_ns(),
        capabilities=Capabilities(
            parallel_requests=plan.parallel_requests,
            prompt_progress=True,
            kv_cache_quantization=KV_CACHE_BITS,
            max_top_logprobs=MAX_TOP_LOGPROBS,
        ),
        is_demo=options.is_demo or spec.is_demo,
        decode_reads=decode_reads(spec, plan.kv_cache_bits),
        decode_threads=None if gpus else plan.decode_threads,
    )
