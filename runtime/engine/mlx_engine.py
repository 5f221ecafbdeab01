"""MLX behind the stepped `Engine` protocol, through mlx-lm's models and caches.

Runs on Metal on Apple Silicon, and on the CPU elsewhere, where it is slow but the same code. All of it on the thread
that loads the model: MLX's streams belong to their thread.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from time import perf_counter_ns

import mlx.core as mx
import mlx_lm

from runtime.engine import mlx_memory
from runtime.engine.base import EngineMemory, LoadProgressCallback
from runtime.engine.generation import Generation
from runtime.engine.mlx_bandwidth import MlxCpuReader, MlxReader, computes_on_gpu
from runtime.engine.mlx_batch_trial import can_batch
from runtime.engine.mlx_cache import QUANTIZED_BITS, kv_quantization, new_cache
from runtime.engine.mlx_conversations import WarmConversations, default_kv_budget_bytes
from runtime.engine.mlx_evaluation import default_chunk_tokens
from runtime.engine.mlx_kv_disk import KvDisk, open_kv_disk
from runtime.engine.mlx_loading import MlxModel, check_mlx_runs, check_quantized_cache, load_mlx_model
from runtime.engine.mlx_request import RequestContext
from runtime.engine.mlx_scheduler import Scheduler
from runtime.library.decode_reads import decode_reads
from runtime.library.defects import unsupported
from runtime.library.fit import at_once, choose_context, kv_cache_bytes, memory_need
from runtime.library.overhead import Evaluation
from runtime.library.reader import read_spec
from runtime.library.spec import ModelSpec
from runtime.metrics.bandwidth import MemoryReader, choose_buffer_bytes
from runtime.metrics.device import available_memory_bytes, usable_cores
from runtime.values.errors import EngineUnavailableError, SettingsError
from runtime.values.generation import GenerateRequest, GenerationEvent
from runtime.values.kv_cache import KeptCache
from runtime.values.model import Capabilities, EngineName, LoadedModel, LoadOptions, ModelFormat
from runtime.values.prompt import Prompt

MAX_TOP_LOGPROBS = 1000
MAX_PARALLEL_REQUESTS = 64
MAX_CHUNK_TOKENS = 65_536


class MlxEngine:
    """Runs one MLX model. Several requests write together where the model can, and else take turns."""

    def __init__(self) -> None:
        self._context: RequestContext | None = None
        self._scheduler: Scheduler | None = None
        self.kv_disk: KvDisk | None = None

    def load(self, path: Path, options: LoadOptions, on_progress: LoadProgressCallback) -> LoadedModel:
        """See `Engine.load`; `path` is a directory with config.json, safetensors files and a tokenizer."""
        started_ns = options.requested_ns or perf_counter_ns()
        self.unload()
        _check_options(options)
        check_mlx_runs()
        spec = _mlx_spec(path)
        quantization = kv_quantization(spec, options.kv_cache_bits)
        chunk_tokens = options.prefill_chunk_tokens or default_chunk_tokens(spec.parameters, spec.kv_element_bytes)
        evaluation = Evaluation(chunk_tokens, computes_on_gpu())
        context_tokens, kv_budget_bytes = _reserve_memory(spec, options, evaluation)
        try:
            model = load_mlx_model(spec, on_progress)
            if quantization is not None:
                check_quantized_cache(spec, model.network, quantization)
            empty_cache = partial(new_cache, model.network, quantization)
            batches = options.parallel_requests > 1 and can_batch(model.network, empty_cache)
        except BaseException:
            mlx_memory.release()
            raise
        description = _description(spec, options, model, context_tokens, started_ns)
        self.kv_disk = open_kv_disk(options, path, description, empty_cache)
        conversations = WarmConversations(
            empty_cache,
            kv_budget_bytes,
            lambda tokens: kv_cache_bytes(spec, tokens, options.kv_cache_bits, evaluation),
            model.tokenizer.end_token_ids,
            self.kv_disk,
        )
        self._context = RequestContext(model, conversations, chunk_tokens)
        self._scheduler = Scheduler(
            self._context,
            lambda request: Generation(request, description, self.memory),
            options.parallel_requests,
            batches=batches,
        )
        return description

    def submit(self, request: GenerateRequest) -> None:
        """See `Engine.submit`."""
        if self.kv_disk is not None:
            self.kv_disk.pause()
        self._running().submit(request)

    def step(self) -> list[GenerationEvent]:
        """See `Engine.step`."""
        if self._scheduler is None:
            return []
        events = self._scheduler.step()
        if self.kv_disk is not None and not self.busy():
            self.kv_disk.write_soon(self._loaded().conversations.kept, events)
        return events

    def cancel(self, request_id: int) -> None:
        """See `Engine.cancel`."""
        if self._scheduler is not None:
            self._scheduler.cancel(request_id)

    def busy(self) -> bool:
        """See `Engine.busy`."""
        return self._scheduler is not None and self._scheduler.busy

    def count_tokens(self, prompt: Prompt) -> int:
        """See `Engine.count_tokens`."""
        return len(self.tokenize(prompt))

    def tokenize(self, prompt: Prompt) -> tuple[int, ...]:
        """See `Engine.tokenize`."""
        return self._loaded().model.tokenizer.tokenize(prompt).token_ids

    def memory(self) -> EngineMemory:
        """See `Engine.memory`. What is neither weights nor KV cache of all that MLX holds is compute buffers."""
        context = self._loaded()
        weights_bytes = context.model.weights_bytes
        kv_cache_bytes = context.conversations.nbytes + self._running().kv_cache_bytes
        others_bytes = mx.get_active_memory() - weights_bytes - kv_cache_bytes
        return EngineMemory(
            weights_bytes=weights_bytes,
            kv_cache_bytes=kv_cache_bytes,
            compute_buffer_bytes=others_bytes if others_bytes >= 0 else None,
        )

    def memory_reader(self) -> MemoryReader | None:
        """See `Engine.memory_reader`."""
        buffer_bytes = choose_buffer_bytes(available_memory_bytes())
        if buffer_bytes is None:
            return None
        return MlxReader(buffer_bytes) if computes_on_gpu() else MlxCpuReader(usable_cores(), buffer_bytes)

    def kept_caches(self) -> tuple[KeptCache, ...]:
        """See `Engine.kept_caches`."""
        return tuple(
            KeptCache(conversation=one.name, tokens=len(one.tokens), nbytes=one.cache.nbytes, is_private=one.is_private)
            for one in self._loaded().conversations.kept
        )

    def forget_caches(self, conversation: str | None) -> None:
        """See `Engine.forget_caches`."""
        conversations = self._loaded().conversations
        if self.kv_disk is not None:
            self.kv_disk.halt()
        if conversation is None:
            conversations.clear()
        else:
            conversations.forget(conversation)
        if self.kv_disk is not None and not self.busy():
            self.kv_disk.write_soon(conversations.kept, ())

    def unload(self) -> None:
        """See `Engine.unload`. Only the end of the process is sure to give everything back."""
        if self._context is None:
            return
        if self.kv_disk is not None:
            self.kv_disk.flush()
        self._context = self._scheduler = self.kv_disk = None
        mlx_memory.release()

    def _loaded(self) -> RequestContext:
        if self._context is None:
            raise no_model()
        return self._context

    def _running(self) -> Scheduler:
        if self._scheduler is None:
            raise no_model()
        return self._scheduler


def no_model() -> EngineUnavailableError:
    """Return the error for asking before a model is loaded."""
    return EngineUnavailableError("No model is loaded.", "Choose a model first.")


def _check_options(options: LoadOptions) -> None:
    ranges = {"parallel_requests": MAX_PARALLEL_REQUESTS, "prefill_chunk_tokens": MAX_CHUNK_TOKENS}
    for name, most in ranges.items():
        value = getattr(options, name)
        if value is not None and not 1 <= value <= most:
            raise SettingsError(f"{name} cannot be {value}.", f"Choose a number from 1 to {most:,}.")
    if options.kv_budget_bytes is not None and options.kv_budget_bytes < 0:
        raise SettingsError(f"kv_budget_bytes cannot be {options.kv_budget_bytes}.", "Choose 0 or more.")


def _mlx_spec(path: Path) -> ModelSpec:
    spec = read_spec(path)
    if spec.format is not ModelFormat.MLX:
        raise unsupported(spec.path, "MLX reads directories, not GGUF files", "Use the engine llamacpp for it.")
    return spec


def _reserve_memory(spec: ModelSpec, options: LoadOptions, evaluation: Evaluation) -> tuple[int, int]:
    """Choose the context and set memory aside for it; return it, and the bytes that conversations may take.

    Every request that runs at the same time has a context of its own.
    """
    together = at_once(spec, options.parallel_requests)
    bits = options.kv_cache_bits
    usable_bytes = mlx_memory.usable_bytes()
    context_tokens = choose_context(together, options.context_tokens, usable_bytes, bits, evaluation)
    need = memory_need(together, context_tokens, bits, evaluation)
    mlx_memory.reserve(need.total_bytes)
    wanted = options.kv_budget_bytes
    return context_tokens, default_kv_budget_bytes(need, usable_bytes) if wanted is None else wanted


def _description(
    spec: ModelSpec, options: LoadOptions, model: MlxModel, context_tokens: int, started_ns: int
) -> LoadedModel:
    return LoadedModel(
        name=options.model_name or spec.name,
        engine=EngineName.MLX,
        engine_version=f"mlx {vars(mx)['__version__']}, mlx-lm {mlx_lm.__version__}",
        device=mlx_memory.device_text(),
        quantization=spec.quantization,
        weights_bytes=model.weights_bytes,
        context_limit_tokens=context_tokens,
        vocabulary_size=model.vocabulary_size,
        load_started_ns=started_ns,
        load_ended_ns=perf_counter_ns(),
        capabilities=Capabilities(
            parallel_requests=options.parallel_requests,
            prompt_progress=True,
            kv_cache_quantization=QUANTIZED_BITS,
            max_top_logprobs=MAX_TOP_LOGPROBS,
        ),
        is_demo=options.is_demo or spec.is_demo,
        # Weights that grew while they were read are not those of the tensor table.
        decode_reads=decode_reads(spec, options.kv_cache_bits) if model.weights_bytes <= spec.weights_bytes else None,
        working_set_bytes=mlx_memory.working_set_bytes(),
        decode_threads=None if computes_on_gpu() else usable_cores(),
    )
