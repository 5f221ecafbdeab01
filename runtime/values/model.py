"""What the rest of the product knows of a model once it is loaded."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from runtime.values.memory_reads import DecodeReads


class EngineName(StrEnum):
    """The engines by the names users, settings and the command line give them."""

    MLX = "mlx"
    LLAMACPP = "llamacpp"
    SCRIPTED = "scripted"


class ModelFormat(StrEnum):
    """How a model lies on disk."""

    MLX = "mlx"
    GGUF = "gguf"
    SCRIPT = "script"


class Quantization(msgspec.Struct, frozen=True):
    """How the weights are stored.

    Attributes:
        name: the name users know: INT4, INT8, Q4_K_M, MXFP4, BF16 …
        bits_per_weight: file bits ÷ parameters, from the tensors, not from the file's name.
    """

    name: str
    bits_per_weight: float


class KvStoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how to keep KV caches on disk.

    Attributes:
        folder: where they are.
        budget_bytes: what all of them may take; None takes a tenth of what is free, at most 10 GB.
        idle_s: how long nothing must have been asked before writing begins.
        least_tokens: a shorter conversation is read again sooner than anyone notices.
    """

    folder: str
    budget_bytes: int | None = None
    idle_s: float = 3.0
    least_tokens: int = 256


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is loaded; None leaves the choice to the engine, which measures.

    Attributes:
        model_name: what the user calls the model; None takes the file's name.
        is_demo: True for the model shipped with the app.
        requested_ns: when it was asked for (`time.perf_counter_ns`); starting the worker belongs to loading. None: now.
        context_tokens: length of the context; None takes the model's own limit, cut to what the memory bears.
        kv_cache_bits: 4 or 8 quantizes the KV cache; None keeps it at 16 bits or above.
        prefill_chunk_tokens: prompt tokens evaluated between two looks at the cancel flag.
        threads: CPU threads of llama.cpp.
        gpu_layers: layers llama.cpp puts on the GPU; None puts as many as fit.
        llama_server: path of a native `llama-server` to use instead of the embedded one.
        parallel_requests: requests that may run at the same time.
        kv_budget_bytes: what conversations kept for their next turn may take in memory; None measures.
        kv_store: where to keep them across restarts; None keeps them in memory alone.
    """

    model_name: str | None = None
    is_demo: bool = False
    requested_ns: int | None = None
    context_tokens: int | None = None
    kv_cache_bits: int | None = None
    prefill_chunk_tokens: int | None = None
    threads: int | None = None
    gpu_layers: int | None = None
    llama_server: str | None = None
    parallel_requests: int = 1
    kv_budget_bytes: int | None = None
    kv_store: KvStoreOptions | None = None


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a loaded engine can do.

    Attributes:
        parallel_requests: requests it runs at the same time.
        prompt_progress: whether it reports while the prompt is read.
        kv_cache_quantization: widths in bits that the KV cache can take.
        max_top_logprobs: most alternatives it reports for each token.
    """

    parallel_requests: int
    prompt_progress: bool
    kv_cache_quantization: tuple[int, ...]
    max_top_logprobs: int


class LoadedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that answers.

    Attributes:
        name: what the user calls it.
        engine: which engine runs it.
        engine_version: the library and its version, for example "mlx 0.32.4".
        device: what it runs on, for example "Apple M4 (Metal)" or "CPU, 2 threads, AVX2".
        quantization: name and effective bits per weight.
        weights_bytes: what the weights take in memory.
        context_limit_tokens: length of the context it was loaded with.
        vocabulary_size: number of token ids; every id given to it must be below.
        load_started_ns: when it was asked for (`time.perf_counter_ns`); starting the worker is part of loading.
        load_ended_ns: the same clock, when the model was ready.
        capabilities: what the engine can do with it.
        is_demo: True for the model shipped with the app, which is labelled a demo wherever it appears.
        advice: what would make the engine faster on this machine; None if nothing is known.
        decode_reads: what writing a token reads; None if that is not known.
        working_set_bytes: what Metal recommends to use at most on this machine; None elsewhere.
        decode_threads: CPU threads that write tokens; None where an accelerator does.
    """

    name: str
    engine: EngineName
    engine_version: str
    device: str
    quantization: Quantization
    weights_bytes: int
    context_limit_tokens: int
    vocabulary_size: int
    load_started_ns: int
    load_ended_ns: int
    capabilities: Capabilities
    is_demo: bool = False
    advice: str | None = None
    decode_reads: DecodeReads | None = None
    working_set_bytes: int | None = None
    decode_threads: int | None = None
