"""The account of what a llama-server holds agrees with what the server then finds in its memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.engine.llamacpp_embedded import EmbeddedServer
from runtime.engine.llamacpp_loading import read_gguf
from runtime.engine.llamacpp_plan import plan_server
from runtime.engine.llamacpp_slots import NOTHING, HeldTokens, Slots
from runtime.engine.llamacpp_wire import COMPLETION_PATH, reading_body
from runtime.metrics.device import read_device
from runtime.values.model import LoadOptions
from tests.models.random_gguf import write_random_gguf

TIMEOUT_S = 60.0
GIGABYTE = 10**9
Tokens = tuple[int, ...]


class Timings(msgspec.Struct):
    """How many tokens of the prompt the server found in its memory."""

    cache_n: int


class Answer(msgspec.Struct):
    """What is wanted of a completion."""

    tokens: Tokens
    timings: Timings


class Server:
    """A real server, and the account of it."""

    def __init__(self, embedded: EmbeddedServer, count: int) -> None:
        self._client = embedded.client
        self.slots = Slots(count, GIGABYTE, lambda tokens: tokens)
        self._named = count > 1

    def read(self, prompt: Tokens) -> tuple[int, int]:
        """Have it read `prompt`; return how much of it was foretold to be there, and how much was."""
        slot, shared_tokens = self.slots.place(prompt)
        body = msgspec.structs.replace(reading_body(prompt, slot if self._named else None), stream=False)
        self.slots.start(prompt, slot)
        # Without progress, and with the tokens that it wrote.
        content = {**msgspec.to_builtins(body), "return_progress": False, "return_tokens": True, "response_fields": []}
        reply = self._client.call(COMPLETION_PATH, msgspec.json.encode(content), timeout_s=TIMEOUT_S)
        answer = msgspec.json.decode(reply, type=Answer)
        self.slots.end(slot, HeldTokens(tokens=prompt, count=len(prompt), conversation=str(prompt[:1])))
        return min(shared_tokens, len(prompt) - 1), answer.timings.cache_n


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    write_random_gguf(path)
    return path


@contextmanager
def serving(model: Path, count: int) -> Iterator[Server]:
    options = LoadOptions(parallel_requests=count, context_tokens=512)
    plan = plan_server(read_gguf(model), options, read_device(), lambda: 0.0, may_have_gpu=False)
    embedded = EmbeddedServer(plan)
    server = Server(embedded, count)
    server.read((1,))
    yield server
    embedded.close()


PARTS = st.lists(st.integers(0, 3), min_size=1, max_size=6)
"""A prompt as a sequence of a few texts, so that prompts often begin alike."""


def prompt_of(parts: list[int]) -> Tokens:
    return tuple(5 + 90 * part + step for part in parts for step in range(20 + 10 * part))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompts=st.lists(PARTS, min_size=2, max_size=12), count=st.integers(1, 3))
def test_foretells_what_the_server_finds(model: Path, prompts: list[list[int]], count: int) -> None:
    with serving(model, count) as server:
        for parts in prompts:
            foretold, found = server.read(prompt_of(parts))
            assert foretold == found


def slots_with(*held: HeldTokens, cache_bytes: int = GIGABYTE) -> Slots:
    slots = Slots(len(held), cache_bytes, lambda tokens: tokens)
    for slot, one in enumerate(held):
        slots.put(slot, one)
    return slots


def of(name: str, *tokens: int, is_private: bool = False) -> HeldTokens:
    return HeldTokens(tokens=tokens, count=len(tokens), conversation=name, is_private=is_private)


def test_the_slot_that_shares_most_takes_a_prompt_or_else_the_one_used_longest_ago() -> None:
    slots = slots_with(of("a", 1, 2, 3), of("b", 1, 2, 9), of("c", 7))
    assert slots.place((1, 2, 9, 9)) == (1, 3)
    assert slots.place((8, 8)) == (0, 0)
    slots.start((1, 2, 9, 9), 1)
    assert slots.place((1, 2, 9, 9)) == (0, 2)
    assert slots.idle == (0, 2)


@given(sizes=st.lists(st.integers(1, 50), min_size=1, max_size=12), cache_bytes=st.integers(1, 100))
def test_what_is_displaced_keeps_to_its_budget_but_for_one(sizes: list[int], cache_bytes: int) -> None:
    slots = slots_with(NOTHING, cache_bytes=cache_bytes)
    for index, size in enumerate(sizes):
        prompt = tuple(1000 * index + step for step in range(size))
        slots.start(prompt, 0)
        slots.end(0, of(str(index), *prompt))
    kept = [held.count for held in slots.displaced]
    assert sum(kept) <= cache_bytes or len(kept) == 1


def test_without_a_prompt_cache_nothing_is_displaced() -> None:
    slots = slots_with(of("a", 1, 2, 3), cache_bytes=0)
    slots.start((7, 8), 0)
    assert slots.displaced == ()


def test_a_request_of_which_nothing_is_known_leaves_what_was_there_but_no_less_private() -> None:
    slots = slots_with(of("a", 1, 2, 3))
    slots.start((1, 2, 3, 4), 0)
    slots.end(0, HeldTokens(is_private=True))
    assert slots.slots == (of("a", 1, 2, 3, is_private=True),)
