"""What reusing KV caches on MLX saves, and what keeping them on disk costs. About three minutes, run by hand.

    python -m tests.benchmarks.kv_reuse [FOLDER]

Turn 10 against turn 1 with and without reuse; resuming a chat from disk against reading it again; reading, checking and
loading half a gigabyte; decoding while caches are written against decoding without; and whether compressing pays.
FOLDER (default: a temporary one) takes the models and caches.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import KVCache

from runtime.config.paths import assets_folder
from runtime.engine.mlx_cache import KvCache
from runtime.engine.mlx_kv_payload import pack, read_layout, unpack
from runtime.kv_store.folder import KvFolder
from runtime.kv_store.payload import Pieces
from runtime.kv_store.record import KvScope
from runtime.kv_store.store import KvContent, KvStore
from runtime.values.model import KvStoreOptions
from runtime.values.prompt import TextPrompt, TokenPrompt
from tests.benchmarks.interleaved import machine, measure, paired_ratio, summary
from tests.models.random_gguf import GgufRecipe
from tests.models.random_mlx import write_random_mlx
from tests.runtime.engine.mlx_running import Reply, ask, loaded, run

RECIPE = GgufRecipe(layers=4, hidden=512, feed_forward=1536, heads=8, kv_heads=4, head_dim=64, context_tokens=8192)
"""13 million parameters: read at a hundred tokens a second by the CPU backend, so that 4,000 tokens take a minute."""
SCOPE = KvScope(model_key="benchmark", engine="mlx", engine_version="", settings="")
CHAT_TOKENS = 4000
NEW_TOKENS = 60
REPLY_TOKENS = 20
TURNS = 10
MB = 1e6

make_layer: Callable[[], KVCache] = KVCache  # mlx-lm's constructors have no types


def tokens(start: int, count: int) -> tuple[int, ...]:
    """Return a text that no other part of the benchmark begins with."""
    return tuple(5 + (start * 31 + index * 7) % 400 for index in range(count))


def turn_times(folder: Path, *, reuse: bool) -> list[float]:
    """Return TTFT of each turn, in ms."""
    engine = loaded(folder)
    history: tuple[int, ...] = ()
    times = []
    for turn in range(TURNS):
        prompt = (*history, *tokens(turn, NEW_TOKENS))
        request = ask(TokenPrompt(prompt), max_tokens=REPLY_TOKENS, ignore_end_token=True, reuse_cache=reuse)
        (reply,) = run(engine, request)
        times.append(reply.stats.ttft_ms or 0.0)
        history = (*prompt, *reply.token_ids)
    engine.unload()
    return times


def ask_stored(folder: Path, kv: Path, prompt: tuple[int, ...]) -> Reply:
    """Start, ask, and write what was read to disk."""
    engine = loaded(folder, kv_store=KvStoreOptions(folder=str(kv)))
    (reply,) = run(engine, ask(TokenPrompt(prompt), max_tokens=2, ignore_end_token=True))
    if engine.kv_disk is not None:
        engine.kv_disk.flush(60.0)
    engine.unload()
    return reply


def compare_resume(folder: Path, kv: Path) -> None:
    """Print what resuming takes, and what reading again does."""
    chat = tokens(1, CHAT_TOKENS)
    cold = ask_stored(folder, kv, chat).stats
    warm = ask_stored(folder, kv, (*chat, 7)).stats
    assert cold.ttft_parts is not None
    assert warm.ttft_parts is not None
    again, restore = cold.ttft_parts.prefill_ms, warm.ttft_parts.cache_restore_ms
    sys.stdout.write(
        f"{CHAT_TOKENS:,} tokens ({warm.cached_tokens:,} cached): prefill {again:,.0f} ms, restore {restore:.1f} ms,"
        f" {again / restore:,.0f} times faster; TTFT {cold.ttft_ms:,.0f} ms against {warm.ttft_ms:.1f} ms\n"
    )


def half_a_gigabyte() -> KvCache:
    """Return 4,000 tokens of a Qwen3 of 0.6 billion parameters: 28 layers, 8 heads of 128, 16 bits."""
    layers = [make_layer() for _ in range(28)]
    for index, layer in enumerate(layers):
        update: Callable[[mx.array, mx.array], object] = layer.update_and_fetch
        half = mx.random.normal((1, 8, CHAT_TOKENS, 128), key=mx.random.key(index)).astype(mx.float16)
        update(half, half)
    cache = KvCache(list(layers))
    cache.evaluate()
    return cache


def time_large_cache(kv: Path) -> None:
    """Print how long half a gigabyte takes to write, check and load."""
    store = KvStore(KvFolder(kv), SCOPE, 2 * 10**9)
    payload = pack(half_a_gigabyte().fork(CHAT_TOKENS))
    content = KvContent(
        tokens=tokens(2, CHAT_TOKENS),
        layout=payload.layout,
        payload=Pieces(payload.nbytes, payload.pieces()),
        saved_ms=1.0,
    )
    began = perf_counter()
    assert store.write(content)
    gigabytes = payload.nbytes / 1e9
    sys.stdout.write(f"write {payload.nbytes / MB:.0f} MB: {(perf_counter() - began) / gigabytes * 1000:.0f} ms/GB\n")
    (entry,) = store.entries()

    def check() -> float:
        began = perf_counter()
        assert store.checked(entry)
        return (perf_counter() - began) / gigabytes * 1000

    def load() -> float:
        empty = KvCache([make_layer() for _ in range(28)])
        began = perf_counter()
        unpack(entry.payload, read_layout(entry.record.layout), empty)
        return (perf_counter() - began) / gigabytes * 1000

    def touch() -> float:
        began = perf_counter()
        np.ones(payload.nbytes // 8)
        return (perf_counter() - began) / gigabytes * 1000

    samples = measure({"check": check, "load": load, "fill fresh memory": touch}, rounds=5)
    for name, values in samples.items():
        sys.stdout.write(summary(name, values, "ms/GB") + "\n")
    store.remove(entry)


def compare_decoding(folder: Path, kv: Path) -> None:
    """Print decode speed while caches are being written, against without."""
    engines = {
        "writing": loaded(folder, kv_store=KvStoreOptions(folder=str(kv), idle_s=0.0)),
        "plain": loaded(folder),
    }
    rounds = iter(range(10**6))

    def speed(name: str) -> float:
        prompt = TokenPrompt(tokens(1000 + next(rounds), 300))
        (reply,) = run(engines[name], ask(prompt, max_tokens=100, ignore_end_token=True))
        return reply.stats.decode_tokens_per_second or 0.0

    samples = measure({name: partial(speed, name) for name in engines}, rounds=8)
    ratio = paired_ratio(samples["writing"], samples["plain"])
    sys.stdout.write(f"decode with background writing ÷ without: {ratio}\n")
    for engine in engines.values():
        engine.unload()


def compress(kv: Path) -> None:
    """Print what zlib makes of the demo model's cache of real text, as it is and with equal bytes side by side."""
    text = (assets_folder().parent / "README.md").read_text(encoding="utf-8")[:4000]
    engine = loaded(assets_folder() / "demo-model" / "mlx-int8", kv_store=KvStoreOptions(folder=str(kv)))
    run(engine, ask(TextPrompt(text), max_tokens=2))
    if engine.kv_disk is not None:
        engine.kv_disk.flush(60.0)
    engine.unload()
    for entry in KvFolder(kv).entries():
        if entry.record.scope.model_name == "mlx-int8":
            content = entry.payload.read_bytes()
            width = 2
            body = content[: len(content) // width * width]
            planes = b"".join(body[plane::width] for plane in range(width))
            for name, data in (("as it is", content), ("by byte planes", planes)):
                began = perf_counter()
                packed = len(zlib.compress(data, 1))
                seconds = perf_counter() - began
                speed = len(data) / MB / seconds
                sys.stdout.write(f"zlib, {name}: {packed / len(data):.3f} of the size, {speed:.0f} MB/s\n")


def main() -> None:
    """Run everything."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch)
        folder, kv = place / "random-13m", Path(scratch) / "kv"
        if not folder.exists():
            write_random_mlx(folder, RECIPE)
        sys.stdout.write(machine() + "\n")
        time_large_cache(kv)
        compress(kv)
        compare_decoding(folder, kv)
        with_reuse, without = turn_times(folder, reuse=True), turn_times(folder, reuse=False)
        for name, times in (("reuse", with_reuse), ("without", without)):
            ratio = times[-1] / statistics.median(times[:1])
            sys.stdout.write(f"{name}: turn 1 {times[0]:.0f} ms, turn {TURNS} {times[-1]:.0f} ms, ratio {ratio:.2f}\n")
        compare_resume(folder, kv)


if __name__ == "__main__":
    main()
