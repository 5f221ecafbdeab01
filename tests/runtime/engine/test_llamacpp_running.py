"""One request on a server that says exactly what the test wants: other versions, bursts, failures in the middle."""

from __future__ import annotations

import json
import selectors
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from runtime.engine.base import EngineMemory
from runtime.engine.generation import Generation
from runtime.engine.llamacpp_conversations import Conversations
from runtime.engine.llamacpp_http import ServerAddress, ServerClient
from runtime.engine.llamacpp_loading import read_gguf
from runtime.engine.llamacpp_running import RunningRequest
from runtime.engine.llamacpp_slots import Slots
from runtime.engine.llamacpp_tokenizer import ServerTokenizer
from runtime.library.spec import ModelSpec
from runtime.values.generation import (
    Failed,
    Finished,
    GenerateRequest,
    GenerationEvent,
    PromptProgress,
    StopReason,
    TextDelta,
)
from runtime.values.model import Capabilities, EngineName, LoadedModel
from tests.models.random_gguf import write_random_gguf
from tests.runtime.engine.llamacpp_session import ask, end_of, stats_of, text_of

PAUSE = "pause"
PAUSE_S = 0.15
PROGRESS = {"prompt_progress": {"total": 6, "cache": 2, "processed": 2}, "timings": {"prompt_ms": 0.0}}
READ = {"prompt_progress": {"total": 6, "cache": 2, "processed": 6}, "timings": {"prompt_ms": 0.5}}
LINES = Sequence[object]


def token(text: str, count: int, at_ms: float | None = None) -> dict[str, object]:
    """Return the event of the `count`th token, made `at_ms` after the first one by the server's clock."""
    event: dict[str, object] = {"content": text, "tokens_predicted": count, "stop": False}
    return event if at_ms is None else {**event, "timings": {"prompt_ms": 0.5, "predicted_ms": at_ms}}


def last(count: int, stop_type: str = "limit") -> dict[str, object]:
    return {"content": "", "tokens_predicted": count, "stop": True, "stop_type": stop_type}


@contextmanager
def server(lines: LINES) -> Iterator[ServerClient]:
    """Run a server that answers every completion with `lines`; raw bytes go out as they are, `PAUSE` waits."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            if self.path == "/tokenize":
                self.wfile.write(b'{"tokens":[1,2,3]}')
                return
            for line in lines:
                if line == PAUSE:
                    time.sleep(PAUSE_S)
                elif isinstance(line, bytes):
                    self.wfile.write(line)
                else:
                    self.wfile.write(b"data: " + json.dumps(line).encode() + b"\n\n")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield ServerClient(ServerAddress(port=listener.server_address[1]), "key")
        finally:
            listener.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    write_random_gguf(path)
    return read_gguf(Path(path))


def answered(spec: ModelSpec, lines: LINES, request: GenerateRequest) -> list[GenerationEvent]:
    """Return the events of `request` on a server that answers it with `lines`."""
    model = LoadedModel(
        name="model",
        engine=EngineName.LLAMACPP,
        engine_version="",
        device="",
        quantization=spec.quantization,
        weights_bytes=1,
        context_limit_tokens=100,
        vocabulary_size=spec.vocabulary_size,
        load_started_ns=0,
        load_ended_ns=0,
        capabilities=Capabilities(
            parallel_requests=1, prompt_progress=True, kv_cache_quantization=(), max_top_logprobs=5
        ),
    )
    generation = Generation(request, model, lambda: EngineMemory(weights_bytes=1, kv_cache_bytes=1))
    running = RunningRequest(generation)
    with server(lines) as client, selectors.DefaultSelector() as selector:
        conversations = Conversations(client, Slots(1, 0, lambda _: 0), None, lambda _: 0)
        events = running.start(client, ServerTokenizer(client, spec), 100, conversations)
        selector.register(running, selectors.EVENT_READ)
        deadline = time.monotonic() + 20
        while not generation.ended:
            assert time.monotonic() < deadline
            selector.select(0.1)
            events += running.read()
        selector.unregister(running)
        running.hang_up()
        running.hang_up()
    return events


def test_tokens_that_arrive_in_a_burst_keep_the_distances_they_were_made_at(spec: ModelSpec) -> None:
    lines = [PROGRESS, READ, token("a", 1, 0.0), PAUSE, *(token("b", 2 + n, 10.0 + 20 * n) for n in range(4)), last(5)]
    stats = stats_of(answered(spec, lines, ask(max_tokens=5)))
    first, *others = stats.token_times_ms
    assert others == pytest.approx([first + 10, first + 30, first + 50, first + 70], abs=1e-3)


def test_no_token_is_made_after_it_arrived(spec: ModelSpec) -> None:
    lines = [PROGRESS, READ, token("a", 1, 0.0), token("b", 2, 60_000.0), last(2)]
    stats = stats_of(answered(spec, lines, ask(max_tokens=2)))
    assert stats.token_times_ms[1] < 30_000


def test_how_long_a_short_prompt_took_is_the_servers_word(spec: ModelSpec) -> None:
    events = answered(spec, [PAUSE, PROGRESS, READ, token("a", 1, 0.0), last(1)], ask(max_tokens=1))
    stats = stats_of(events)
    assert stats.cached_tokens == 2
    assert stats.ttft_parts is not None
    assert stats.ttft_parts.prefill_ms >= 0.5
    assert [event.done for event in events if isinstance(event, PromptProgress)] == [2, 6]


def test_a_server_without_progress_and_timings_has_figures_too(spec: ModelSpec) -> None:
    stats = stats_of(answered(spec, [token("a", 1), PAUSE, token("b", 2), last(2)], ask(max_tokens=9)))
    assert (stats.cached_tokens, stats.generated_tokens) == (0, 2)
    assert stats.token_times_ms[1] - stats.token_times_ms[0] > PAUSE_S * 500
    assert stats.ttft_parts is not None
    assert stats.ttft_parts.first_decode_ms >= 0


def test_one_event_may_stand_for_several_tokens(spec: ModelSpec) -> None:
    events = answered(spec, [READ, token("", 1), token("é", 3), last(5)], ask(max_tokens=9))
    assert stats_of(events).generated_tokens == 5
    assert sum(len(event.token_times_ns) for event in events if isinstance(event, TextDelta)) == 5
    assert text_of(events) == "é"


def test_the_end_token_is_not_counted_whether_or_not_it_has_an_event(spec: ModelSpec) -> None:
    for lines in ([READ, token("a", 1), last(2, "eos")], [READ, token("a", 1), token("", 2), last(2, "eos")]):
        end = end_of(answered(spec, lines, ask(max_tokens=None)))
        assert isinstance(end, Finished)
        assert (end.stop_reason, end.stats.generated_tokens) == (StopReason.END, 1)


def test_text_that_comes_with_the_end_is_not_lost(spec: ModelSpec) -> None:
    events = answered(spec, [READ, token("a", 1), {**last(1), "content": "b"}], ask(max_tokens=9))
    assert text_of(events) == "ab"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([READ, token("a", 1), {"error": {"message": "no", "type": "server_error"}}], "internal"),
        ([READ, token("a", 1), b'error: {"message":"no"}\n\n'], "internal"),
        ([READ, token("a", 1), b"data: nonsense\n\n"], "internal"),
        ([READ, token("a", 1)], "worker-lost"),
        ([], "worker-lost"),
        ([{"error": {"message": "no", "type": "exceed_context_size_error"}}], "context-overflow"),
    ],
)
def test_a_failure_in_the_middle_ends_the_request(spec: ModelSpec, lines: LINES, code: str) -> None:
    end = end_of(answered(spec, lines, ask(max_tokens=9)))
    assert isinstance(end, Failed)
    assert end.error.code == code
