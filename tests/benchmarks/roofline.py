"""How near decoding comes to memory's limit, and what a measurement of the bandwidth costs a reply asked for meanwhile.

On a random-weight model of at least 0.3 billion parameters, made on the first run. Replies asked for while nothing is
measured and while the bandwidth is being measured alternate; queue time and decode speed of both are compared.

    uv run python -m tests.benchmarks.roofline --engine llamacpp --threads 2
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from runtime.client.base import ModelToLoad
from runtime.client.worker_client import WorkerClient
from runtime.metrics.roofline import reply_roofline
from runtime.values.errors import error_from
from runtime.values.generation import Failed, Finished, GenerationStats
from runtime.values.model import EngineName, LoadOptions
from runtime.values.prompt import TokenPrompt
from runtime.values.wording import bandwidth_text, bytes_text, percent_text, speed_text
from tests.benchmarks.engine_paths import request_for
from tests.benchmarks.interleaved import machine, paired_ratio, summary
from tests.benchmarks.large_models import large_model
from tests.runtime.client.scripted_worker import worker

CONTEXT_TOKENS = 512
PROMPT = TokenPrompt(tuple(range(100, 132)))
SHORTEST_LEAD_S, LEAD_STEP_S = 0.02, 0.04
"""Replies are asked for at different moments of a measurement."""


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("llamacpp", "mlx"), default="llamacpp")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--threads", type=int, default=None, help="llama.cpp threads (default: the engine's choice)")
    parser.add_argument("--models", type=Path, default=Path(tempfile.gettempdir()) / "first-token-models")
    return parser.parse_args()


async def reply(client: WorkerClient, tokens: int) -> GenerationStats:
    """Return the figures of one reply."""
    async for event in await client.generate(request_for(PROMPT, tokens)):
        match event:
            case Finished(stats=stats):
                return stats
            case Failed(error=report):
                raise error_from(report)
    raise AssertionError("unreachable: a reply ends in a terminal event")


async def alternate(client: WorkerClient, options: argparse.Namespace) -> tuple[list[GenerationStats], ...]:
    """Return the figures of replies asked for while nothing is measured, and while something is."""
    quiet: list[GenerationStats] = []
    measuring: list[GenerationStats] = []
    for index in range(options.rounds):
        quiet.append(await reply(client, options.tokens))
        measurement = asyncio.create_task(client.measure_bandwidth())
        await asyncio.sleep(SHORTEST_LEAD_S + index * LEAD_STEP_S)
        measuring.append(await reply(client, options.tokens))
        await measurement
    return quiet, measuring


async def report(options: argparse.Namespace) -> list[str]:
    """Measure and return the lines to print."""
    engine = EngineName(options.engine)
    load = LoadOptions(context_tokens=CONTEXT_TOKENS, threads=options.threads)
    path = large_model(engine, options.models)
    async with worker() as client:
        model = await client.load(ModelToLoad(engine=engine, path=str(path), options=load))
        bandwidth = await client.measure_bandwidth()
        await reply(client, options.tokens)
        quiet, measuring = await alternate(client, options)
    roofline = reply_roofline(quiet[-1], model, bandwidth)
    if bandwidth is None or roofline is None:
        return [machine(), f"{model.device}: the bandwidth cannot be measured here"]
    slowest, cached = bandwidth_text(bandwidth.slowest_bytes_per_second), bytes_text(bandwidth.cached_bytes)
    memory = f"{bandwidth_text(bandwidth.bytes_per_second)}, slowest round {slowest}, caches hold {cached}"
    limit = f"{speed_text(roofline.ceiling_tokens_per_second)} at {bytes_text(round(roofline.bytes_per_token))} a token"
    return [
        f"{machine()}; {model.engine_version} on {model.device}",
        f"memory read by {bandwidth.reader}: {memory}",
        f"limit: {limit}; reached: {speed_text(roofline.tokens_per_second)}, {percent_text(roofline.share)}",
        summary("queue, nothing measured", queues(quiet), "ms"),
        summary("queue, while measuring", queues(measuring), "ms"),
        f"decode speed while measuring ÷ otherwise: {paired_ratio(speeds(measuring), speeds(quiet))}",
    ]


def queues(replies: list[GenerationStats]) -> list[float]:
    """Return how long each waited before the engine took it up, in ms."""
    return [stats.ttft_parts.queue_ms for stats in replies if stats.ttft_parts is not None]


def speeds(replies: list[GenerationStats]) -> list[float]:
    """Return the decode speeds, in tokens per second."""
    return [stats.decode_tokens_per_second or 0.0 for stats in replies]


def main() -> None:
    """Measure and print."""
    sys.stdout.write("\n".join(asyncio.run(report(parsed()))) + "\n")


if __name__ == "__main__":
    main()
