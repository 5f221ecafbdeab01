"""One engine, made to answer with the demo model in a worker as the app does it, and its figures checked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import perf_counter_ns

from desktop.self_test.figures import figure_problems
from desktop.self_test.result import EngineResult
from runtime.client.base import EngineClient
from runtime.client.launch import choose_model, make_supervisor, model_to_load
from runtime.config.paths import AppPaths
from runtime.config.settings import Settings
from runtime.library.local import engine_platform
from runtime.metrics.device import DeviceInfo, is_apple_silicon
from runtime.metrics.timeline import NS_PER_MS
from runtime.values.errors import FirstTokenError, InternalError, error_from, report_of
from runtime.values.generation import Failed, Finished, GenerateRequest, GenerationStats, TextDelta
from runtime.values.model import EngineName, LoadedModel, LoadOptions
from runtime.values.prompt import ChatPrompt, Message, Role
from runtime.values.sampling import GREEDY

QUESTION = "What is the time to first token?"
EXPECTED = "first token"
"""What an undamaged demo model says to that, whichever engine runs it: garbage would not."""
MOST_TOKENS = 24
CONTEXT_TOKENS = 512
PATIENCE_S = 240.0
DETAIL_LINES = 12


def engines_to_check(device: DeviceInfo) -> tuple[EngineName, ...]:
    """Return the engines that this machine should have, and those that it has beyond them."""
    here = engine_platform(device, Settings(), {}).installed
    wanted = {EngineName.LLAMACPP} | ({EngineName.MLX} if is_apple_silicon(device) else set())
    return tuple(name for name in (EngineName.MLX, EngineName.LLAMACPP) if name in here | wanted)


async def check_engine(name: EngineName, paths: AppPaths, patience_s: float = PATIENCE_S) -> EngineResult:
    """Load the demo model, have it answer a question, and look at answer and figures. Raises nothing."""
    client = make_supervisor()
    try:
        async with asyncio.timeout(patience_s):
            return await _check(name, paths, client)
    except TimeoutError:
        return EngineResult(name=name, problems=(f"no answer within {patience_s:.0f} s",))
    except FirstTokenError as error:
        return EngineResult(name=name, problems=tuple(_reasons(error)))
    finally:
        await client.close()


async def _check(name: EngineName, paths: AppPaths, client: EngineClient) -> EngineResult:
    model, settings = choose_model("demo", name.value, paths)
    begun_ns = perf_counter_ns()
    loaded = await client.load(model_to_load(model, settings, LoadOptions(context_tokens=CONTEXT_TOKENS)))
    load_ms = (perf_counter_ns() - begun_ns) / NS_PER_MS
    text, stats = await _answer(client)
    problems = [*figure_problems(stats), *_text_problems(text), *_model_problems(loaded, stats)]
    return EngineResult(
        name=name,
        problems=tuple(problems),
        engine_version=loaded.engine_version,
        device=loaded.device,
        load_ms=load_ms,
        text=text,
        stats=stats,
    )


async def _answer(client: EngineClient) -> tuple[str, GenerationStats]:
    request = GenerateRequest(
        id=0,
        prompt=ChatPrompt((Message(Role.USER, QUESTION),)),
        submitted_ns=perf_counter_ns(),
        max_tokens=MOST_TOKENS,
        sampling=GREEDY,
    )
    pieces: list[str] = []
    async for event in await client.generate(request):
        match event:
            case TextDelta(text=text):
                pieces.append(text)
            case Finished(stats=stats):
                return "".join(pieces), stats
            case Failed(error=error):
                raise error_from(error)
    raise InternalError("The reply had no end.")


def _text_problems(text: str) -> Iterator[str]:
    if EXPECTED not in text:
        yield f"the demo model answers nonsense: {text!r}"


def _model_problems(loaded: LoadedModel, stats: GenerationStats) -> Iterator[str]:
    if stats.engine is not loaded.engine or not loaded.is_demo:
        yield f"{stats.engine} answered in place of the demo model on {loaded.engine}"


def _reasons(error: FirstTokenError) -> Iterator[str]:
    """Yield what happened, and what the libraries said of it."""
    yield str(error)
    detail = report_of(error).detail.strip().splitlines()
    if detail:
        yield " | ".join(detail[-DETAIL_LINES:])
