"""xllamacpp's server asked directly, one blocking completion at a time: nothing of ours between model and clock."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Protocol

import msgspec

from runtime.engine.llamacpp_wire import Timings

BATCH_TOKENS = 128


class _Server(Protocol):
    def handle_completions(self, body: dict[str, object]) -> dict[str, object]: ...


class _Answer(msgspec.Struct):
    timings: Timings


class BareLoop:
    """A model loaded as the engine loads it, without HTTP, streaming, worker or client."""

    def __init__(self, path: Path, *, context_tokens: int, threads: int) -> None:
        library = import_module("xllamacpp")
        params = library.CommonParams()
        params.model.path = str(path)
        params.n_ctx = context_tokens
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.verbosity = 1
        self._server: _Server | None = library.Server(params)
        # A server dropped before it has computed anything never ends.
        self.decode_speed((1,), 1)

    def decode_speed(self, prompt: tuple[int, ...], tokens: int) -> float:
        """Return tokens per second over the intervals between `tokens` tokens, by the server's own clock.

        The figure it gives itself divides the tokens by those intervals, of which there is one fewer.
        """
        return (tokens - 1) * 1000 / max(self._complete(prompt, tokens).predicted_ms, 1e-3)

    def prefill_speed(self, prompt: tuple[int, ...]) -> float:
        """Return tokens of `prompt` per second, by the wall clock around a request for one token."""
        begun = perf_counter()
        self._complete(prompt, 1)
        return len(prompt) / (perf_counter() - begun)

    def _complete(self, prompt: tuple[int, ...], tokens: int) -> Timings:
        if self._server is None:
            raise ValueError("closed")
        body: dict[str, object] = {
            "prompt": list(prompt),
            "n_predict": tokens,
            "temperature": 0,
            "samplers": ["top_k"],
            "top_k": 1,
            "ignore_eos": True,
            "cache_prompt": False,
            "stream": False,
        }
        return msgspec.convert(self._server.handle_completions(body), _Answer).timings

    def close(self) -> None:
        """Drop the model."""
        self._server = None
