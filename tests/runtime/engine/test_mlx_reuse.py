"""Whatever people do with their chats, the KV cache changes how soon a reply comes, and never what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.engine.mlx_engine import MlxEngine
from runtime.values.generation import Cancelled
from runtime.values.model import KvStoreOptions
from runtime.values.prompt import TokenPrompt
from tests.models.random_architectures import RECURRENT_STATE, SLIDING_WINDOW, Config, write_random_architecture
from tests.models.random_mlx import write_random_mlx
from tests.runtime.engine.mlx_running import Reply, ask, loaded, replies, run

END = 0
REPLY_TOKENS = 5
LONG_IDLE_S = 3600.0
"""So long that nothing is written but when the engine is unloaded."""
BUDGETS = (0, 200_000, 10**8)
"""One conversation, some of them, all of them."""

Chat = tuple[int, ...]
Step = tuple[str, int, list[int]]
MESSAGE = st.lists(st.integers(5, 400), min_size=1, max_size=40)
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(["next turn", "edit", "regenerate", "branch", "stop", "restart"]),
        st.integers(0, 10**6),
        MESSAGE,
    ),
    min_size=2,
    max_size=7,
)


class Chats:
    """Chats with a warm engine: each that ever was, as the tokens of its prompt and its reply."""

    def __init__(self, start: Callable[[], MlxEngine]) -> None:
        self._start = start
        self._engine = start()
        self.branches: list[Chat] = [()]
        self.answered: list[tuple[Chat, Chat]] = []

    def take(self, kind: str, draw: int, message: list[int]) -> None:
        """Do one thing, as a person would in the window."""
        chat = self.branches[-1]
        match kind:
            case "next turn":
                self._ask((*chat, *message, END))
            case "edit":
                self._ask((*chat[: draw % (len(chat) + 1)], *message, END))
            case "regenerate" if self.answered:
                self._ask(self.answered[-1][0])
            case "branch":
                self._ask((*self.branches[draw % len(self.branches)], *message, END))
            case "restart":
                self.end()
                self._engine = self._start()
            case _:
                self._stop((*chat, *message, END), after=draw % 6)

    def end(self) -> None:
        """End the engine, however slow the disk is."""
        if self._engine.kv_disk is not None:
            self._engine.kv_disk.flush(limit_s=60)
        self._engine.unload()

    def _ask(self, prompt: Chat) -> None:
        (reply,) = run(self._engine, ask(TokenPrompt(prompt), max_tokens=REPLY_TOKENS, ignore_end_token=True))
        self._note(prompt, reply)

    def _stop(self, prompt: Chat, *, after: int) -> None:
        """Stop the reply after a number of steps, in the prompt or in the reply."""
        self._engine.submit(ask(TokenPrompt(prompt), max_tokens=REPLY_TOKENS, ignore_end_token=True))
        events = [event for _ in range(after) for event in self._engine.step()]
        self._engine.cancel(1)
        while self._engine.busy():
            events += self._engine.step()
        (reply,) = replies(events, [1])
        assert isinstance(reply.end, Cancelled) or after
        self._note(prompt, reply)

    def _note(self, prompt: Chat, reply: Reply) -> None:
        self.branches.append((*prompt, *reply.token_ids))
        self.answered.append((prompt, reply.token_ids))


@pytest.fixture(scope="module", params=[None, SLIDING_WINDOW, RECURRENT_STATE], ids=["attention", "window", "state"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config: Config | None = request.param
    place = tmp_path_factory.mktemp("models") / "model"
    if config is None:
        write_random_mlx(place)
    else:
        write_random_architecture(place, config)
    return place


@pytest.fixture(scope="module")
def cold(folder: Path) -> Iterator[MlxEngine]:
    engine = loaded(folder, prefill_chunk_tokens=64)
    yield engine
    engine.unload()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, budget=st.sampled_from(BUDGETS))
def test_says_the_same_as_from_scratch(
    tmp_path_factory: pytest.TempPathFactory, folder: Path, cold: MlxEngine, steps: list[Step], budget: int
) -> None:
    kv_store = KvStoreOptions(folder=str(tmp_path_factory.mktemp("kv")), idle_s=LONG_IDLE_S, least_tokens=8)
    chats = Chats(partial(loaded, folder, prefill_chunk_tokens=64, kv_budget_bytes=budget, kv_store=kv_store))
    for step in steps:
        chats.take(*step)
    chats.end()
    for prompt, said in chats.answered:
        request = ask(TokenPrompt(prompt), max_tokens=REPLY_TOKENS, ignore_end_token=True, reuse_cache=False)
        (reply,) = run(cold, request)
        assert reply.token_ids[: len(said)] == said


def test_a_second_reply_and_an_edit_read_only_what_is_new(folder: Path) -> None:
    engine = loaded(folder, prefill_chunk_tokens=64)
    first, second = (*range(5, 105), END), (*range(200, 300), END)

    def cached(*prompt: int) -> int:
        (reply,) = run(engine, ask(TokenPrompt(prompt), max_tokens=40, ignore_end_token=True))
        return reply.stats.cached_tokens

    assert cached(*first, 3) == 0
    assert cached(*first, 3) == 101
    assert cached(*first, 4) == 101
    assert cached(*second, 3) == 0
    assert cached(*first, 3) == 101
    engine.unload()
