"""A deterministic engine: the tokens and the timings come from a script. For tests and for work on the window.

The script is a JSON file (`Script`); the clock and the sleep are arguments, so that a test can run it on a clock of its
own and check every figure to the nanosecond.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import assert_never

import msgspec

from runtime.engine.base import EngineMemory, LoadProgressCallback
from runtime.engine.evaluated_tokens import EvaluatedTokens
from runtime.engine.generation import Generation
from runtime.engine.prefix_break import PromptReader, find_break
from runtime.metrics.bandwidth import USUAL_BUFFER_BYTES, MemoryReader
from runtime.values.errors import FirstTokenError, ModelBrokenError, ModelMissingError
from runtime.values.generation import (
    Cancelled,
    GenerateRequest,
    GenerationEvent,
    StopReason,
    TokenChoice,
    TokenLogprob,
)
from runtime.values.kv_cache import KeptCache
from runtime.values.memory_reads import DecodeReads, KvReads
from runtime.values.model import Capabilities, EngineName, LoadedModel, LoadOptions, Quantization
from runtime.values.prompt import ChatPrompt, Prompt, TextPrompt, TokenPrompt

NS_PER_S = 1_000_000_000
LOAD_STEPS = 4
VOCABULARY_SIZE = 256


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the engine pretends to be.

    Attributes:
        replies: tokens of each reply, one text a token; used in turn, from the first again after the last.
        load_s: how long loading takes.
        tokenize_s: how long template and tokenizer take.
        prefill_tokens_per_second: speed of reading the prompt.
        decode_tokens_per_second: speed of writing.
        prefill_chunk_tokens: prompt tokens read in one step.
        remembers_prompt: whether what was read before counts as cached when a prompt begins with it.
        context_tokens: length of the context.
        weights_bytes: what the weights are said to take.
        kv_bytes_per_token: what one token in the context is said to take.
        bits_per_weight: effective bits of the quantization, called INT4.
        memory_bytes_per_second: the bandwidth that a measurement is to find; None: it cannot be measured.
        memory_rounds_s: how long each piece of the measurement takes.
        cached_bytes: what a measurement is to find in caches.
    """

    replies: tuple[tuple[str, ...], ...] = (("Hello", " there", "!"),)
    load_s: float = 0.0
    tokenize_s: float = 0.0
    prefill_tokens_per_second: float = 1000.0
    decode_tokens_per_second: float = 50.0
    prefill_chunk_tokens: int = 32
    remembers_prompt: bool = False
    context_tokens: int = 4096
    weights_bytes: int = 1_000_000
    kv_bytes_per_token: int = 1_000
    bits_per_weight: float = 4.5
    memory_bytes_per_second: float | None = None
    memory_rounds_s: float = 0.0
    cached_bytes: int = 0


class _Running:
    """A request under way: its prompt, its reply, and when its next token is due."""

    def __init__(self, generation: Generation, reply: tuple[str, ...]) -> None:
        self.generation = generation
        self.pending = deque(reply)
        self.done_tokens = 0
        self.prompt: tuple[int, ...] = ()
        self.due_ns = 0


class _ScriptedReader:
    """Finds the bandwidth that the script gives."""

    name = "script"
    buffer_bytes = USUAL_BUFFER_BYTES

    def __init__(self, script: Script, sleep_s: Callable[[float], None]) -> None:
        self._script = script
        self._sleep_s = sleep_s

    def prepare(self) -> bool:
        """See `MemoryReader.prepare`."""
        return True

    def read(self, size_bytes: int) -> float:
        """See `MemoryReader.read`."""
        self._sleep_s(self._script.memory_rounds_s)
        speed = self._script.memory_bytes_per_second or 0.0
        return 2 * speed if size_bytes <= self._script.cached_bytes else speed

    def compute(self) -> float | None:
        """See `MemoryReader.compute`."""
        return None

    def close(self) -> None:
        """See `MemoryReader.close`."""


class ScriptedEngine:
    """Plays a script. Several requests take turns."""

    def __init__(
        self, clock_ns: Callable[[], int] = time.perf_counter_ns, sleep_s: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock_ns = clock_ns
        self._sleep_s = sleep_s
        self._script = Script()
        self._model: LoadedModel | None = None
        self._queue: deque[GenerateRequest] = deque()
        self._running: list[_Running] = []
        self._cancelled: set[int] = set()
        self._served = 0
        self._remembered: tuple[int, ...] = ()
        self._conversation = ""
        self._evaluated = EvaluatedTokens()

    def load(self, path: Path, options: LoadOptions, on_progress: LoadProgressCallback) -> LoadedModel:
        """See `Engine.load`; `path` is the script."""
        started_ns = options.requested_ns or self._clock_ns()
        self._script = read_script(path)
        for step in range(1, LOAD_STEPS + 1):
            self._sleep_s(self._script.load_s / LOAD_STEPS)
            on_progress(step / LOAD_STEPS)
        self._model = LoadedModel(
            name=options.model_name or path.stem,
            engine=EngineName.SCRIPTED,
            engine_version="scripted 1",
            device="script",
            quantization=Quantization("INT4", self._script.bits_per_weight),
            weights_bytes=self._script.weights_bytes,
            context_limit_tokens=options.context_tokens or self._script.context_tokens,
            vocabulary_size=VOCABULARY_SIZE,
            load_started_ns=started_ns,
            load_ended_ns=self._clock_ns(),
            capabilities=Capabilities(
                parallel_requests=options.parallel_requests,
                prompt_progress=True,
                kv_cache_quantization=(),
                max_top_logprobs=5,
            ),
            is_demo=options.is_demo,
            decode_reads=DecodeReads(
                weights_bytes=self._script.weights_bytes,
                kv=(KvReads(token_bytes=self._script.kv_bytes_per_token),),
            ),
        )
        return self._model

    def submit(self, request: GenerateRequest) -> None:
        """See `Engine.submit`."""
        self._queue.append(request)

    def busy(self) -> bool:
        """See `Engine.busy`."""
        return bool(self._queue or self._running)

    def cancel(self, request_id: int) -> None:
        """See `Engine.cancel`."""
        self._cancelled.add(request_id)

    def step(self) -> list[GenerationEvent]:
        """See `Engine.step`: take requests up, then move each running one by a chunk or a token."""
        events = self._end_cancelled()
        while self._queue and len(self._running) < self._loaded().capabilities.parallel_requests:
            events += self._take_up(self._queue.popleft())
        for running in list(self._running):
            events += self._advance(running)
        self._running = [running for running in self._running if not running.generation.ended]
        return events

    def count_tokens(self, prompt: Prompt) -> int:
        """See `Engine.count_tokens`."""
        return len(self.tokenize(prompt))

    def tokenize(self, prompt: Prompt) -> tuple[int, ...]:
        """See `Engine.tokenize`."""
        return token_ids(prompt)

    def memory(self) -> EngineMemory:
        """See `Engine.memory`."""
        tokens = sum(running.done_tokens + running.generation.generated_tokens for running in self._running)
        return EngineMemory(
            weights_bytes=self._script.weights_bytes, kv_cache_bytes=tokens * self._script.kv_bytes_per_token
        )

    def memory_reader(self) -> MemoryReader | None:
        """See `Engine.memory_reader`."""
        return None if self._script.memory_bytes_per_second is None else _ScriptedReader(self._script, self._sleep_s)

    def kept_caches(self) -> tuple[KeptCache, ...]:
        """See `Engine.kept_caches`: the last prompt, if the script remembers prompts."""
        tokens = len(self._remembered) if self._script.remembers_prompt else 0
        nbytes = tokens * self._script.kv_bytes_per_token
        return (KeptCache(conversation=self._conversation, tokens=tokens, nbytes=nbytes),) if tokens else ()

    def forget_caches(self, conversation: str | None) -> None:
        """See `Engine.forget_caches`."""
        if conversation in (None, self._conversation):
            self._remembered, self._conversation = (), ""
        self._evaluated.forget(conversation)

    def unload(self) -> None:
        """See `Engine.unload`."""
        self._model = None
        self._queue.clear()
        self._running.clear()

    def _loaded(self) -> LoadedModel:
        if self._model is None:
            raise RuntimeError("the scripted engine was used before it was loaded")
        return self._model

    def _end_cancelled(self) -> list[GenerationEvent]:
        cancelled, self._cancelled = self._cancelled, set()
        events: list[GenerationEvent] = [
            Cancelled(request.id, None) for request in self._queue if request.id in cancelled
        ]
        self._queue = deque(request for request in self._queue if request.id not in cancelled)
        ending = [running for running in self._running if running.generation.request.id in cancelled]
        events += [running.generation.cancelled() for running in ending]
        self._running = [running for running in self._running if running not in ending]
        return events

    def _take_up(self, request: GenerateRequest) -> list[GenerationEvent]:
        generation = Generation(request, self._loaded(), self.memory, self._clock_ns)
        running = _Running(generation, self._next_reply())
        try:
            generation.check()
            running.prompt = token_ids(request.prompt)
            self._sleep_s(self._script.tokenize_s)
            generation.tokenized(running.prompt)
        except FirstTokenError as error:
            return [generation.failed(error)]
        running.done_tokens = self._cached_tokens(running.prompt) if request.reuse_cache else 0
        kept = self._evaluated.of(request.conversation) if self._script.remembers_prompt else ()
        generation.find_break = lambda: find_break(kept, request.prompt, running.prompt, READER)
        self._running.append(running)
        return [generation.cache_restored(running.done_tokens)]

    def _next_reply(self) -> tuple[str, ...]:
        reply = self._script.replies[self._served % len(self._script.replies)]
        self._served += 1
        return reply

    def _cached_tokens(self, prompt: tuple[int, ...]) -> int:
        if not self._script.remembers_prompt:
            return 0
        shared = 0
        for old, new in zip(self._remembered, prompt[:-1], strict=False):
            if old != new:
                break
            shared += 1
        return shared

    def _advance(self, running: _Running) -> list[GenerationEvent]:
        if running.done_tokens < len(running.prompt):
            return self._prefill(running)
        if not running.pending:
            return running.generation.finished(StopReason.END)
        return self._decode(running)

    def _prefill(self, running: _Running) -> list[GenerationEvent]:
        chunk = min(self._script.prefill_chunk_tokens, len(running.prompt) - running.done_tokens)
        self._sleep_s(chunk / self._script.prefill_tokens_per_second)
        running.done_tokens += chunk
        if running.done_tokens < len(running.prompt):
            return [running.generation.prefill_progress(running.done_tokens)]
        self._remembered = running.prompt
        self._conversation = running.generation.request.conversation
        self._evaluated.note(self._conversation, running.prompt)
        running.due_ns = self._clock_ns()
        return [running.generation.prefilled()]

    def _decode(self, running: _Running) -> list[GenerationEvent]:
        running.due_ns += round(NS_PER_S / self._script.decode_tokens_per_second)
        self._sleep_s(max(0, running.due_ns - self._clock_ns()) / NS_PER_S)
        text = running.pending.popleft()
        choice = None
        if running.generation.request.top_logprobs:
            certain = TokenLogprob(0, text, 0.0)
            choice = TokenChoice(certain, (certain,))
        events = running.generation.token(text, self._clock_ns(), choice)
        reason = running.generation.stop_reason()
        return events if reason is None else [*events, *running.generation.finished(reason)]


def token_ids(prompt: Prompt) -> tuple[int, ...]:
    """Return the prompt as the scripted engine sees it: one token a word, its id the word's first byte."""
    match prompt:
        case TokenPrompt(ids):
            return ids
        case TextPrompt(text):
            words = text.split()
        case ChatPrompt(messages):
            words = [word for message in messages for word in (message.role.value, *message.text.split())]
        case _:
            assert_never(prompt)
    return tuple(word.encode("utf-8", "replace")[0] for word in words)


READER = PromptReader(token_ids, chr)


def read_script(path: Path) -> Script:
    """Read a script.

    Raises:
        ModelMissingError: there is no such file.
        ModelBrokenError: it is not a script.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Script)
    except OSError as error:
        raise ModelMissingError(f"{path} cannot be read.", "Check the path.", detail=str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelBrokenError(f"{path.name} is not a script.", "Check its JSON.", detail=str(error)) from error
