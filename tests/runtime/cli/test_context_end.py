"""A conversation in the terminal that fills its context: it stops and says so, or leaves out its oldest messages."""

from __future__ import annotations

import json
from pathlib import Path

from runtime.config.settings import ModelSettings, Settings, write_settings
from tests.runtime.cli.command import first_token
from tests.runtime.client.plain_demo import DEMO_MODEL

QUESTIONS = (
    "What is the time to first token?",
    "What is prefill?",
    "How much memory does the KV cache take?",
    "Why is decode bound by memory bandwidth?",
    "What is a token?",
)
OPTIONS = ("chat", "--model", "demo", "--engine", "llamacpp", "--context", "256", "--temperature", "0")
NEARLY_FULL = "The context is nearly full ("
LEFT_OUT = "oldest messages are not sent to the model any more."


def test_the_oldest_messages_are_left_out_which_is_said_before() -> None:
    said = first_token(*OPTIONS, "--at-context-end", "drop-oldest", stdin="\n".join(QUESTIONS))

    assert said.returncode == 0
    lines = said.stderr.splitlines()
    announced = next(index for index, line in enumerate(lines) if line.startswith(NEARLY_FULL))
    left_out = next(index for index, line in enumerate(lines) if line.endswith(LEFT_OUT))
    assert "oldest ones are not sent any more." in lines[announced]
    assert announced < left_out
    assert said.stderr.count("TTFT") == len(QUESTIONS), "every question was answered"


def test_without_a_choice_it_stops_and_says_so() -> None:
    said = first_token(*OPTIONS, stdin="\n".join([*QUESTIONS, "/clear", QUESTIONS[0]]))

    assert said.returncode == 0
    assert "the next reply may be cut short. /clear forgets the conversation." in said.stderr
    assert "this context holds 256." in said.stderr
    assert LEFT_OUT not in said.stderr
    assert said.stderr.count("TTFT") < len(QUESTIONS) + 1, "what did not fit was refused"


def test_a_reply_that_ended_early_goes_on_where_it_was() -> None:
    whole = first_token(*OPTIONS, "--max-tokens", "40", stdin=QUESTIONS[0])
    parts = first_token(*OPTIONS, "--max-tokens", "20", stdin=f"/continue\n{QUESTIONS[0]}\n/continue")

    assert "There is no reply that ended early." in parts.stderr
    assert parts.stdout.replace("\n", "") == whole.stdout.replace("\n", "")


def test_what_was_remembered_for_the_model_holds_unless_an_option_says_otherwise(app_home: Path) -> None:
    model = DEMO_MODEL / "demo-q8_0.gguf"
    remembered = ModelSettings(context_tokens=320, kv_cache_bits=8)
    write_settings(app_home / "settings.json", Settings(model_settings={str(model): remembered}))
    options = ("chat", "--model", "demo", "--engine", "llamacpp", "--max-tokens", "2", "--json", "What is prefill?")

    by_settings = json.loads(first_token(*options).stdout)
    by_options = json.loads(first_token(*options, "--context", "512", "--kv-cache-bits", "none").stdout)

    assert by_settings["context"]["limit"] == 320
    assert by_options["context"]["limit"] == 512
    assert by_settings["memory"]["kv_cache_bytes"] < 0.6 * by_options["memory"]["kv_cache_bytes"]
