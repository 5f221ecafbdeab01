"""Several conversations on llama.cpp: reused as far as they agree, known by name, and forgotten for good."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.engine.llamacpp_engine import LlamaCppEngine
from runtime.values.generation import Cancelled, Finished
from runtime.values.kv_cache import CacheOrigin
from runtime.values.prompt import TokenPrompt
from tests.models.random_gguf import HYBRID, SLIDING_WINDOW, TINY, GgufRecipe, write_random_gguf
from tests.runtime.engine.llamacpp_kept import PROMPT, Said, say, started
from tests.runtime.engine.llamacpp_session import ask, drain, end_of

COLD_TOLERANCE = 0.02
REPLY_TOKENS = 5
OTHER = tuple(reversed(PROMPT))
THIRD = tuple(range(100, 200))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    write_random_gguf(path)
    return path


def names(engine: LlamaCppEngine) -> list[str]:
    return sorted(cache.conversation for cache in engine.kept_caches())


@pytest.mark.parametrize("requests", [1, 2])
@pytest.mark.parametrize("forgotten", ["one", "two", "three"])
def test_a_conversation_is_forgotten_wherever_the_server_has_it(model: Path, requests: int, forgotten: str) -> None:
    prompts = {"one": PROMPT, "two": OTHER, "three": THIRD}
    with started(model, None, parallel_requests=requests) as engine:
        for name, prompt in prompts.items():
            say(engine, *prompt, conversation=name)
        assert names(engine) == ["one", "three", "two"]
        engine.forget_caches(forgotten)
        assert names(engine) == sorted({"one", "two", "three"} - {forgotten})
        for name, prompt in prompts.items():
            said = say(engine, *prompt, 7, conversation=name)
            assert said.stats.cached_tokens == (0 if name == forgotten else len(prompt))


@pytest.mark.parametrize("requests", [1, 2])
def test_branches_of_one_conversation_are_forgotten_together(model: Path, requests: int) -> None:
    """Of those that edits leave, the server may have a part in its slot and another in its prompt cache."""
    with started(model, None, parallel_requests=requests) as engine:
        for prompt in (PROMPT, OTHER, (*PROMPT[:60], *THIRD), PROMPT[:80]):
            say(engine, *prompt, conversation="two" if prompt == OTHER else "one")
        engine.forget_caches("one")
        assert names(engine) == ["two"]
        assert say(engine, *PROMPT, 7).stats.cached_tokens == 0
        assert say(engine, *OTHER, 7).stats.cached_tokens == len(OTHER)


def test_all_are_forgotten(model: Path) -> None:
    with started(model, None) as engine:
        for prompt in (PROMPT, OTHER, THIRD):
            say(engine, *prompt)
        engine.forget_caches(None)
        assert engine.kept_caches() == ()
        for prompt in (PROMPT, OTHER, THIRD):
            assert say(engine, *prompt, 7).stats.cached_tokens == 0


def test_what_is_kept_says_how_large_it_is_and_whether_it_is_private(model: Path) -> None:
    token_bytes = 2 * 2 * (32 + 32) * 2  # layers × kv heads × (key + value) × bytes
    with started(model, None) as engine:
        say(engine, *PROMPT, conversation="mine", is_private=True)
        say(engine, *OTHER, conversation="other")
        private, other = engine.kept_caches()
    assert (private.conversation, private.is_private, other.is_private) == ("mine", True, False)
    assert private.tokens == len(PROMPT) + REPLY_TOKENS - 1
    assert private.nbytes == private.tokens * token_bytes


def test_the_budget_for_memory_holds_to_within_one_conversation(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_random_gguf(path, GgufRecipe(layers=8, heads=8, kv_heads=8))
    token_bytes = 8 * 8 * 64 * 2
    budget_bytes = 1024 * token_bytes + (10 << 20)
    with started(path, None, context_tokens=1024, kv_budget_bytes=budget_bytes) as engine:
        for start in range(12):
            say(engine, *(5 + (start * 31 + place * 7) % 400 for place in range(400)))
        kept = engine.kept_caches()
        assert sum(cache.nbytes for cache in kept) <= budget_bytes + max(cache.nbytes for cache in kept)
        assert 2 < len(kept) < 12


Chat = tuple[int, ...]
Step = tuple[str, int, list[int]]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(["next turn", "edit", "regenerate", "branch", "stop", "restart"]),
        st.integers(0, 10**6),
        st.lists(st.integers(5, 400), min_size=1, max_size=40),
    ),
    min_size=2,
    max_size=7,
)


class Chats:
    """Chats with an engine that keeps what it has read, as people have them."""

    def __init__(self, model: Path, kv: Path) -> None:
        self._where = model, kv
        self._session = started(model, kv)
        self._engine = self._session.__enter__()
        self.branches: list[Chat] = [()]
        self.answered: list[tuple[Chat, Said]] = []

    def take(self, kind: str, draw: int, message: list[int]) -> None:
        """Do one thing."""
        chat = self.branches[-1]
        match kind:
            case "next turn":
                self._ask((*chat, *message))
            case "edit":
                self._ask((*chat[: draw % (len(chat) + 1)], *message))
            case "regenerate" if self.answered:
                self._ask(self.answered[-1][0])
            case "branch":
                self._ask((*self.branches[draw % len(self.branches)], *message))
            case "restart":
                self.end()
                self._session = started(*self._where)
                self._engine = self._session.__enter__()
            case _:
                self._stop((*chat, *message), after=draw % 4)

    def end(self) -> None:
        """End the engine."""
        self._session.__exit__(None, None, None)

    def _ask(self, prompt: Chat) -> None:
        said = say(self._engine, *prompt)
        self.branches.append((*prompt, *said.token_ids))
        self.answered.append((prompt, said))

    def _stop(self, prompt: Chat, *, after: int) -> None:
        self._engine.submit(ask(TokenPrompt(prompt), max_tokens=50, ignore_end_token=True))
        events = [event for _ in range(after) for event in self._engine.step()]
        self._engine.cancel(1)
        assert isinstance(end_of([*events, *drain(self._engine)]), Cancelled | Finished)
        self.branches.append(prompt)


@pytest.fixture(scope="module", params=[TINY, SLIDING_WINDOW, HYBRID], ids=["attention", "window", "state"])
def any_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "any.gguf"
    write_random_gguf(path, request.param)
    return path


@pytest.fixture(scope="module")
def cold(any_model: Path) -> Iterator[LlamaCppEngine]:
    with started(any_model, None) as engine:
        yield engine


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_says_nearly_the_same_as_from_scratch_whatever_people_do(
    any_model: Path, cold: LlamaCppEngine, tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    """Batches of other shapes round in other ways, so words may differ where two were as probable."""
    chats = Chats(any_model, tmp_path_factory.mktemp("kv"))
    try:
        for step in steps:
            chats.take(*step)
    finally:
        chats.end()
    for prompt, said in chats.answered:
        right = say(cold, *prompt, reuse_cache=False)
        for one, other in zip(said.choices, right.choices, strict=True):
            assert one.chosen.logprob == pytest.approx(other.chosen.logprob, abs=COLD_TOLERANCE)
            if one.chosen.token_id != other.chosen.token_id:
                break


def test_next_turns_edits_and_other_replies_read_only_what_is_new(model: Path) -> None:
    with started(model, None) as engine:
        said = say(engine, *PROMPT)
        turn = (*PROMPT, *said.token_ids, 7, 8)
        for prompt, cached_tokens in (
            (turn, len(turn) - 3),
            (turn, len(turn) - 1),
            ((*PROMPT, 9, 9), len(PROMPT)),
            ((*PROMPT[:50], 9, 9), 50),
        ):
            reply = say(engine, *prompt)
            assert (reply.stats.cached_tokens, reply.stats.cache_origin) == (cached_tokens, CacheOrigin.MEMORY)
