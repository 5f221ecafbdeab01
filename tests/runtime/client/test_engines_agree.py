"""Same weights, same prompt, greedy: MLX and llama.cpp give the same tokens. The weights are the demo model's.

Both get them as 32-bit floats, so that only the order of additions differs.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter_ns

import pytest

from runtime.values.generation import Finished, GenerateRequest, StopReason, TextDelta
from runtime.values.model import EngineName
from runtime.values.prompt import ChatPrompt, Message, Role
from runtime.values.sampling import GREEDY
from tests.runtime.client.plain_demo import write_plain_demo
from tests.runtime.client.real_models import model_at
from tests.runtime.client.scripted_worker import worker

QUESTIONS = (
    "What is the time to first token?",
    "What is prefill?",
    "How much memory does the KV cache take?",
    "hello",
    "What is 3 + 4?",
    "Why is decode bound by memory bandwidth?",
    "Write a poem about the sea.",
    "你好 👋",
)


@pytest.fixture(scope="module")
def plain_demo(tmp_path_factory: pytest.TempPathFactory) -> dict[EngineName, Path]:
    """The demo model's INT8 weights as 32-bit floats, for each engine."""
    return write_plain_demo(tmp_path_factory.mktemp("demo-f32"))


async def answers(path: Path, engine: EngineName) -> list[tuple[str, int, StopReason]]:
    """Return text, prompt tokens and stop reason of the greedy reply to every question."""
    replies = []
    async with worker() as client:
        await client.load(model_at(path, engine))
        for question in QUESTIONS:
            request = GenerateRequest(
                id=0,
                prompt=ChatPrompt((Message(Role.USER, question),)),
                submitted_ns=perf_counter_ns(),
                max_tokens=48,
                sampling=GREEDY,
                reuse_cache=False,
            )
            events = [event async for event in await client.generate(request)]
            end = events[-1]
            assert isinstance(end, Finished), end
            text = "".join(event.text for event in events if isinstance(event, TextDelta))
            replies.append((text, end.stats.prompt_tokens, end.stop_reason))
    return replies


async def test_both_engines_give_the_same_greedy_answers(plain_demo: dict[EngineName, Path]) -> None:
    from_mlx = await answers(plain_demo[EngineName.MLX], EngineName.MLX)
    from_llamacpp = await answers(plain_demo[EngineName.LLAMACPP], EngineName.LLAMACPP)

    assert from_mlx == from_llamacpp
    assert len({text for text, _, _ in from_mlx}) > len(QUESTIONS) / 2
