"""What reusing KV caches saves, and what keeping them on disk costs. Run by hand, one engine at a time.

    python -m tests.benchmarks.kv_reuse llamacpp [FOLDER]     # about ten minutes on two quiet cores
    python -m tests.benchmarks.kv_reuse mlx [FOLDER]          # about half an hour: MLX's CPU backend reads slowly

A random model of 0.33 billion parameters (Q8_0 for llama.cpp, F32 for MLX). Turn 10 against turn 1 with and without
reuse; resuming a chat from disk, model loaded, against reading it again (4,000 tokens; 1,000 on MLX, unless
`--chat-tokens` says otherwise); checking and restoring for each gigabyte; decoding just after writing was interrupted
against decoding without a store; what a request waits that comes while a cache is written; and whether compressing
pays. `--only PART` does a part of it. FOLDER (default: a temporary one) takes the models.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import NamedTuple

from runtime.config.paths import assets_folder
from runtime.engine.base import Engine
from runtime.engine.registry import create_engine
from runtime.kv_store.checksum import file_checksum
from runtime.kv_store.folder import KvEntry, KvFolder
from runtime.values.generation import Finished, GenerateRequest, GenerationStats
from runtime.values.model import EngineName, KvStoreOptions, LoadOptions
from runtime.values.prompt import TextPrompt, TokenPrompt
from runtime.values.sampling import GREEDY
from tests.benchmarks.interleaved import machine, measure, paired_ratio, summary
from tests.benchmarks.large_models import large_model

TURNS = 10
WRITTEN_TOKENS = 260
"""A chat just long enough to be worth writing."""
DECODED_TOKENS = 60
GB = 1e9
MB = 1e6
WAIT_S = 120.0
DEMO_MODELS = {EngineName.LLAMACPP: "demo-q8_0.gguf", EngineName.MLX: "mlx-int8"}

Tokens = tuple[int, ...]


class Sizes(NamedTuple):
    """How often each part is repeated, and how many tokens it takes."""

    turns_rounds: int
    resume_rounds: int
    decode_rounds: int
    chat_tokens: int
    new_tokens: int
    reply_tokens: int


SIZES = {
    EngineName.LLAMACPP: Sizes(3, 3, 10, chat_tokens=4000, new_tokens=60, reply_tokens=20),
    EngineName.MLX: Sizes(1, 1, 3, chat_tokens=1000, new_tokens=20, reply_tokens=4),
}


class Subject(NamedTuple):
    """What is measured: a model with its engine, and where caches go."""

    engine: EngineName
    model: Path
    kv: Path
    sizes: Sizes

    def started(self, kv_store: KvStoreOptions | None = None, model: Path | None = None) -> Engine:
        """Return an engine that has loaded the model."""
        engine = create_engine(self.engine)
        engine.load(model or self.model, LoadOptions(kv_store=kv_store), lambda _: None)
        return engine

    def storing(self) -> KvStoreOptions:
        """Return how to write as soon as nothing is asked."""
        return KvStoreOptions(folder=str(self.kv), idle_s=0.0, budget_bytes=8 * 10**9)


def tokens(start: int, count: int) -> Tokens:
    """Return a text that no other part of the benchmark begins with."""
    return tuple(5 + (start * 31 + index * 7) % 400 for index in range(count))


def ask(engine: Engine, prompt: Tokens, count: int, *, reuse: bool = True) -> GenerationStats:
    """Return the figures of a reply of `count` tokens."""
    return answer(engine, TokenPrompt(prompt), count, reuse=reuse)


def answer(engine: Engine, prompt: TokenPrompt | TextPrompt, count: int, *, reuse: bool = True) -> GenerationStats:
    """Return the figures of a reply of `count` tokens."""
    request = GenerateRequest(
        id=1,
        prompt=prompt,
        submitted_ns=perf_counter_ns(),
        max_tokens=count,
        sampling=GREEDY,
        reuse_cache=reuse,
        ignore_end_token=True,
    )
    engine.submit(request)
    while engine.busy():
        for event in engine.step():
            if isinstance(event, Finished):
                return event.stats
    raise RuntimeError("the reply failed")


def wait_for_entry(kv: Path, start: Tokens = ()) -> KvEntry:
    """Return a cache on disk that begins with `start`, as soon as there is one."""
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        for entry in KvFolder(kv).entries():
            if entry.record.tokens[: len(start)] == start:
                return entry
        time.sleep(0.02)
    raise TimeoutError("nothing was written")


def wait_for_write(kv: Path) -> None:
    """Wait until a cache is being written."""
    deadline_s = time.monotonic() + WAIT_S
    while not list(kv.glob("*.new")):
        if time.monotonic() > deadline_s:
            raise TimeoutError("writing has not begun")
        time.sleep(0.001)


def compare_turns(subject: Subject) -> None:
    """Print TTFT of the last turn ÷ that of the first, with reuse and without; the turns take turns."""
    engines = {True: subject.started(), False: subject.started()}
    ratios: dict[bool, list[float]] = {True: [], False: []}
    for chat in range(subject.sizes.turns_rounds):
        times: dict[bool, list[float]] = {True: [], False: []}
        history: Tokens = ()
        for turn in range(TURNS):
            prompt = (*history, *tokens(1000 * chat + 17 * turn, subject.sizes.new_tokens))
            for reuse in (True, False) if turn % 2 else (False, True):
                times[reuse].append(ask(engines[reuse], prompt, subject.sizes.reply_tokens, reuse=reuse).ttft_ms or 0.0)
            # What was said does not matter, as long as both go on from the same words.
            history = (*prompt, *tokens(7000 + 1000 * chat + turn, subject.sizes.reply_tokens))
        for reuse, values in times.items():
            ratios[reuse].append(values[-1] / values[0])
            sys.stderr.write(f"{'reuse' if reuse else 'without'}: {', '.join(f'{value:.0f}' for value in values)} ms\n")
    for reuse, values in ratios.items():
        name = f"TTFT of turn {TURNS} ÷ turn 1, {'with' if reuse else 'without'} reuse"
        sys.stdout.write(summary(name, values, "") + "\n")
    for engine in engines.values():
        engine.unload()


def compare_resume(subject: Subject) -> None:
    """Print what resuming takes after a restart, and what reading again does."""
    chat = tokens(1, subject.sizes.chat_tokens)
    engine = subject.started(subject.storing())
    ask(engine, chat, 2)
    entry = wait_for_entry(subject.kv)
    engine.unload()
    gigabytes = entry.total_bytes / GB
    sys.stdout.write(f"{len(chat):,} tokens take {entry.total_bytes / MB:.0f} MB on disk\n")
    restores: list[float] = []

    def resumed() -> float:
        engine = subject.started(subject.storing())
        stats = ask(engine, (*chat, 7), 2)
        engine.unload()
        if stats.ttft_parts is None or stats.cached_tokens < len(chat) - 1:
            raise RuntimeError(f"not restored: {stats}")
        restores.append(stats.ttft_parts.cache_restore_ms / gigabytes)
        return stats.ttft_ms or 0.0

    def read_again() -> float:
        engine = subject.started()
        stats = ask(engine, (*chat, 7), 2)
        engine.unload()
        return stats.ttft_ms or 0.0

    def checked() -> float:
        began_s = perf_counter()
        file_checksum(entry.payload)
        return (perf_counter() - began_s) * 1000 / gigabytes

    samples = measure({"read again": read_again, "resumed": resumed}, subject.sizes.resume_rounds, warm_up=0)
    sys.stdout.write(f"TTFT read again ÷ resumed: {paired_ratio(samples['read again'], samples['resumed'])}\n")
    for name, values in samples.items():
        sys.stdout.write(summary(f"TTFT {name}", values, "ms") + "\n")
    sys.stdout.write(summary("check and restore (a part of that TTFT)", restores, "ms/GB") + "\n")
    sys.stdout.write(summary("of it, check", measure({"check": checked}, 5)["check"], "ms/GB") + "\n")


def compare_decoding(subject: Subject) -> None:
    """Print decode speed just when a cache was being written, against without a store.

    The other engine's turn comes when there is nothing more to write: it would have to share the machine with that.
    """
    engines = {"writing": subject.started(subject.storing()), "plain": subject.started()}
    prompts = iter(range(10**6))

    def speed(name: str) -> float:
        ask(engines[name], tokens(3000 + next(prompts), WRITTEN_TOKENS), 2)
        if name == "writing":
            wait_for_write(subject.kv)
        prompt = tokens(6000 + next(prompts), WRITTEN_TOKENS)
        stats = ask(engines[name], prompt, DECODED_TOKENS)
        if name == "writing":
            wait_for_entry(subject.kv, prompt)
        return stats.decode_tokens_per_second or 0.0

    samples = measure({name: partial(speed, name) for name in engines}, subject.sizes.decode_rounds)
    ratio = paired_ratio(samples["writing"], samples["plain"])
    sys.stdout.write(f"decode with background writing ÷ without: {ratio}\n")
    for engine in engines.values():
        engine.unload()


def time_interruptions(subject: Subject) -> None:
    """Print what a request waits that comes just when such a cache is being written."""
    waits = []
    for index in range(subject.sizes.resume_rounds):
        clear(subject)
        engine = subject.started(subject.storing())
        ask(engine, tokens(1, subject.sizes.chat_tokens), 2)
        wait_for_write(subject.kv)
        stats = ask(engine, tokens(5000 + index, 20), 2)
        waits.append(stats.ttft_parts.queue_ms if stats.ttft_parts is not None else 0.0)
        engine.unload()
    sys.stdout.write(summary("a request that comes while such a cache is written waits", waits, "ms") + "\n")


def compress(subject: Subject) -> None:
    """Print what zlib makes of the demo model's cache of real text, as it is and with equal bytes side by side."""
    text = (assets_folder().parent / "README.md").read_text(encoding="utf-8")[:4000]
    clear(subject)
    engine = subject.started(subject.storing(), assets_folder() / "demo-model" / DEMO_MODELS[subject.engine])
    answer(engine, TextPrompt(text), 2)
    content = wait_for_entry(subject.kv).payload.read_bytes()
    engine.unload()
    body = content[: len(content) // 2 * 2]
    planes = body[::2] + body[1::2]
    for name, data in (("as it is", content), ("by byte planes", planes)):
        began_s = perf_counter()
        packed = len(zlib.compress(data, 1))
        speed = len(data) / MB / (perf_counter() - began_s)
        sys.stdout.write(f"zlib, {name}: {packed / len(data):.3f} of the size, {speed:.0f} MB/s\n")


def clear(subject: Subject) -> None:
    """Remove every cache from disk."""
    KvFolder(subject.kv).clear()


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", type=EngineName, choices=list(SIZES))
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--chat-tokens", type=int, help="of the chat that is resumed, at most 4,080")
    parser.add_argument("--only", choices=("turns", "resume", "decode", "interrupt", "compress"))
    options = parser.parse_args()
    sizes = SIZES[options.engine]
    sizes = sizes._replace(chat_tokens=options.chat_tokens or sizes.chat_tokens)
    with tempfile.TemporaryDirectory() as scratch:
        model = large_model(options.engine, options.folder or Path(scratch))
        subject = Subject(options.engine, model, Path(scratch) / "kv", sizes)
        parts: dict[str, Callable[[], None]] = {
            "turns": partial(compare_turns, subject),
            "resume": partial(compare_resume, subject),
            "decode": partial(compare_decoding, subject),
            "interrupt": partial(time_interruptions, subject),
            "compress": partial(compress, subject),
        }
        sys.stdout.write(machine() + "\n")
        for name, part in parts.items():
            if options.only in (None, name):
                part()
                sys.stdout.flush()


if __name__ == "__main__":
    main()
