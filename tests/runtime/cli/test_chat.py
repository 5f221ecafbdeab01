"""`first-token chat`: the JSON that scripts are promised, the text that people read, and every way it can go wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from runtime.cli.figures import ReplyRecord
from tests.runtime.cli.command import error_of, first_token, json_of

QUESTION = "What is the KV cache?"
PROMISED_FIELDS = {
    *("text", "stop_reason", "engine", "model", "quantization", "prompt_tokens", "cached_tokens", "cache_origin"),
    "generated_tokens",
    *("ttft_ms", "ttft_parts", "prefill_tokens_per_second", "decode_tokens_per_second", "memory", "context"),
    "token_times_ms",
}
needs_posix = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.mark.parametrize("engine", ["llamacpp", "mlx"])
def test_the_json_holds_what_is_promised_and_its_figures_agree(engine: str) -> None:
    raw = json_of("chat", "--engine", engine, "--json", "--temperature", "0", "--max-tokens", "8", QUESTION)
    assert raw.keys() >= PROMISED_FIELDS
    reply = msgspec.convert(raw, ReplyRecord)
    times, parts = reply.token_times_ms, reply.ttft_parts

    assert (reply.engine, reply.model, reply.is_demo) == (engine, "demo:int8", True)
    assert reply.text
    assert reply.generated_tokens == len(times) == 8
    assert times[0] == reply.ttft_ms
    assert parts is not None
    assert sum(getattr(parts, name) for name in parts.__struct_fields__) == pytest.approx(reply.ttft_ms)
    assert parts.load_ms > 0
    assert list(times) == sorted(times)
    assert reply.decode_tokens_per_second == pytest.approx(7000 / (times[-1] - times[0]))
    assert reply.prefill_tokens_per_second == pytest.approx(
        (reply.prompt_tokens - reply.cached_tokens) * 1000 / parts.prefill_ms
    )
    assert reply.context.used == reply.prompt_tokens + reply.generated_tokens
    assert reply.memory.peak_bytes >= reply.memory.worker_resident_bytes > reply.memory.weights_bytes > 1_000_000
    assert 8 < reply.quantization.bits_per_weight < 9


def test_the_same_seed_gives_the_same_answer_and_int4_is_smaller() -> None:
    arguments = ("chat", "--json", "--temperature", "1", "--seed", "5", "--max-tokens", "12", QUESTION)
    first, second = json_of(*arguments), json_of(*arguments)
    int4 = msgspec.convert(json_of(*arguments, "--model", "demo:int4"), ReplyRecord)

    assert first["text"] == second["text"]
    assert int4.quantization.bits_per_weight < 6
    assert int4.memory.weights_bytes < msgspec.convert(first, ReplyRecord).memory.weights_bytes


def test_the_answer_goes_to_stdout_and_the_figures_to_stderr() -> None:
    done = first_token("chat", "--temperature", "0", "--max-tokens", "12", "--system", "Be brief.", QUESTION)

    assert done.returncode == 0
    assert done.stdout.strip()
    assert "tok/s" not in done.stdout
    for word in ("demo", "TTFT", "decode", "memory", "context", "bits a weight"):
        assert word in done.stderr


def test_a_question_may_come_through_a_pipe() -> None:
    from_pipe = json_of("chat", "--json", "--temperature", "0", "--max-tokens", "6", "-", stdin=QUESTION)
    from_argument = json_of("chat", "--json", "--temperature", "0", "--max-tokens", "6", QUESTION)

    assert from_pipe["text"] == from_argument["text"]


def test_a_conversation_remembers_and_its_commands_work() -> None:
    lines = ["/help", "What is prefill?", "why?", "/clear", "What is prefill?", "/exit", "never read"]
    done = first_token("chat", "--temperature", "0", "--max-tokens", "10", stdin="\n".join(lines))
    replies = [line for line in done.stderr.splitlines() if line.startswith("decode ")]
    prompt_tokens = [int(line.split("(")[2].split()[0].replace(",", "")) for line in replies]

    assert done.returncode == 0
    assert len(replies) == 3
    assert prompt_tokens[1] > prompt_tokens[0] == prompt_tokens[2]
    assert "forgotten" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "no-such-model", "hi"), "no-such-model"),
        (("--model", "demo-q8_0.gguf", "hi"), "demo"),
        (("--max-tokens", "0", "hi"), "token limit"),
        (("--temperature", "nan", "hi"), "temperature"),
        (("--top-p", "7", "hi"), "top_p"),
        (("--seed", "-1", "hi"), "seed"),
        (("   ",), "empty"),
        (("--context", "999999999", "hi"), "context"),
        (("-",), "tokens"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_the_next_step(arguments: tuple[str, ...], words: str) -> None:
    done = first_token("chat", *arguments, stdin="word " * 200_000)
    errors = [line for line in done.stderr.splitlines() if line.startswith("first-token: ")]

    assert done.returncode == 1
    assert done.stdout == ""
    assert len(errors) == 1
    assert words in errors[0]
    assert errors[0].count(".") >= 2
    assert "Traceback" not in done.stderr


def test_an_impossible_engine_is_refused_with_json_errors_for_machines() -> None:
    gguf = Path(__file__).resolve().parents[3] / "assets" / "demo-model" / "demo-q8_0.gguf"
    done = first_token("chat", "--json", "--engine", "mlx", "--model", str(gguf), "hi")
    error = error_of(done.stderr.encode())

    assert done.returncode == 1
    assert error["code"] == "model-unsupported"
    assert error["next_step"]


@needs_posix
def test_ctrl_c_stops_a_reply_and_leaves_no_worker() -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "desktop",
            "chat",
            "--max-tokens",
            "2000",
            "--temperature",
            "2",
            "--seed",
            "1",
            QUESTION,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    workers = _children_when_there(process.pid)
    assert process.stdout is not None
    process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert process.returncode in (0, 130)  # 0 where the tiny model was done before the signal came
    gone, alive = psutil.wait_procs(workers, timeout=20)
    assert gone
    assert not alive


def _children_when_there(pid: int) -> list[psutil.Process]:
    for _ in range(600):
        children = psutil.Process(pid).children(recursive=True)
        if children:
            return children
        time.sleep(0.02)
    raise AssertionError("no worker was started")
