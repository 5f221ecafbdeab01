"""The options of `first-token chat`, and what they say of the sampler."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from runtime.config.paths import AppPaths
from runtime.values.context_end import ContextEnd
from runtime.values.model import LoadOptions
from runtime.values.sampling import SamplingParams

if TYPE_CHECKING:
    from runtime.cli.parser import Commands

KV_CACHE_CHOICES = {"none": None, "8": 8, "4": 4}
DESCRIPTION = """\
Ask a model on this machine. With PROMPT, or text through a pipe after "-", one answer; without, a conversation.
The answer goes to stdout as it is generated; its figures (TTFT, tokens per second, memory, context) to stderr.
"""
EPILOG = """\
examples:
  first-token chat "What is prefill?"
  first-token chat --model ~/models/some-model.gguf --system "Be brief." --max-tokens 100 "What is prefill?"
  first-token chat --json --temperature 0 - < question.txt

In a conversation: /clear forgets it, /continue goes on with a reply that ended early, /exit or Ctrl+D leaves, Ctrl+C
stops a reply.
"""


def add_chat_parser(commands: Commands, run: Callable[[argparse.Namespace, AppPaths], int]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser("chat", help="ask a model", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help='the question; "-" reads it from stdin')
    parser.add_argument("--json", action="store_true", help="print one JSON object with the text and every figure")
    parser.add_argument(
        "--incognito", action="store_true", help="keep no KV cache of it on disk, and read none from there"
    )
    parser.set_defaults(run=run)
    _add_model_options(parser)
    _add_answer_options(parser)


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        metavar="M",
        help="demo, demo:int4, demo:int8, an installed model's name (`first-token models list`), an MLX directory or a"
        " GGUF file (default: the one in the settings, else demo)",
    )
    model.add_argument(
        "--engine",
        choices=("auto", "mlx", "llamacpp"),
        help="auto (default): MLX on Apple Silicon, else llama.cpp; GGUF files always llama.cpp",
    )
    model.add_argument(
        "--context",
        type=int,
        metavar="N",
        help="context length in tokens (default: the one chosen in the settings, else what the memory bears)",
    )
    model.add_argument(
        "--kv-cache-bits",
        choices=tuple(KV_CACHE_CHOICES),
        metavar="B",
        help="none, 8 or 4: quantize the KV cache, which takes less memory (default: the settings', else none)",
    )
    model.add_argument(
        "--at-context-end",
        choices=tuple(ContextEnd),
        help="in a conversation that fills the context: stop, or drop-oldest, which sends the model the newest"
        " exchanges and the system prompt (default: the settings', else stop)",
    )


def _add_answer_options(parser: argparse.ArgumentParser) -> None:
    answer = parser.add_argument_group("answer")
    answer.add_argument("--system", metavar="S", help="system prompt: who the model is to be")
    answer.add_argument(
        "--max-tokens", type=int, metavar="N", help="most tokens to generate (default: to the context's end)"
    )
    answer.add_argument(
        "--temperature",
        type=float,
        default=0.7,
        metavar="T",
        help="how freely to choose; 0 always takes the likeliest token (default: 0.7)",
    )
    answer.add_argument(
        "--top-p",
        type=float,
        default=1.0,
        metavar="P",
        help="keep the likeliest tokens up to this probability together (default: 1, all)",
    )
    answer.add_argument(
        "--top-k", type=int, default=0, metavar="K", help="keep the K likeliest tokens; 0 (default): all"
    )
    answer.add_argument(
        "--min-p",
        type=float,
        default=0.0,
        metavar="P",
        help="drop tokens below this share of the likeliest one's probability (default: 0, none)",
    )
    answer.add_argument("--seed", type=int, metavar="S", help="makes the answer repeatable")


def sampling_from(options: argparse.Namespace) -> SamplingParams:
    """Return the sampler settings among the options."""
    return SamplingParams(
        temperature=options.temperature,
        top_p=options.top_p,
        top_k=options.top_k,
        min_p=options.min_p,
        seed=options.seed,
    )


def load_options_from(options: argparse.Namespace, remembered: LoadOptions) -> LoadOptions:
    """Return how to load the model: as the options say, and where they say nothing as it was `remembered`."""
    bits = options.kv_cache_bits
    return LoadOptions(
        context_tokens=options.context if options.context is not None else remembered.context_tokens,
        kv_cache_bits=remembered.kv_cache_bits if bits is None else KV_CACHE_CHOICES[bits],
    )
