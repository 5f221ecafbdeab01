"""Where a prompt leaves what was kept of its chat: found at the right token and the right message, on both engines.

The templates are those that break prefixes: a time in front of everything, replies that are written down otherwise than
they were generated, white space that is cut off, a number of tools that changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.engine.base import Engine
from runtime.engine.evaluated_tokens import EvaluatedTokens
from runtime.engine.mlx_conversations import CHECKPOINT_DISTANCE_TOKENS
from runtime.engine.prefix_break import LIMIT_S, Departure, PromptReader, departure_of, find_break
from runtime.kv_store.folder import KvFolder
from runtime.values.errors import ChatTemplateError
from runtime.values.generation import GenerationStats
from runtime.values.kv_cache import CacheOrigin, PrefixBreak
from runtime.values.model import EngineName, KvStoreOptions, LoadOptions
from runtime.values.prompt import ChatPrompt, Message, Prompt, Role, TextPrompt
from tests.models.random_architectures import RECURRENT_STATE, SLIDING_WINDOW, Config, write_random_architecture
from tests.models.random_gguf import GgufRecipe
from tests.models.tiny_tokenizer import CHATML, write_tokenizer
from tests.runtime.client.real_models import ENGINES, write_model
from tests.runtime.engine.llamacpp_session import loaded_engine
from tests.runtime.engine.mlx_running import ask, loaded, run

CHAT = "a chat"
TOKENS = st.lists(st.integers(0, 2), max_size=8).map(tuple)
WORDS = st.lists(st.sampled_from(["one", "two", "three", "four"]), min_size=1, max_size=5).map(" ".join)

TIME_IN_FRONT = "{{ strftime_now('%f') }} " + CHATML
TOOLS_IN_FRONT = "Tools: {{ messages | length }}\n" + CHATML
THINKING = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n\n</think>\n\n{% endif %}")
TRIMMING = CHATML.replace(
    "{{ message['content'] }}", "{{ message['content'] if loop.last else message['content'] | trim }}"
)


# what is the same for both engines


@given(kept=st.lists(TOKENS, max_size=4), prompt=TOKENS)
def test_all_before_the_departure_is_kept_and_nothing_shares_more(
    kept: list[tuple[int, ...]], prompt: tuple[int, ...]
) -> None:
    departure = departure_of(kept, prompt)
    if departure is None:
        assert not kept or any(one == prompt[: len(one)] or prompt == one[: len(prompt)] for one in kept)
        return
    place = departure.shared_tokens
    assert any(one[: place + 1] == (*prompt[:place], departure.kept_token_id) for one in kept)
    assert departure.kept_token_id != prompt[place]
    assert all(one[: place + 1] != prompt[: place + 1] for one in kept)


def test_the_branch_that_goes_on_counts_not_the_one_that_was_left() -> None:
    assert departure_of([(1, 2, 3, 4), (1, 2, 9)], (1, 2, 9, 5)) is None
    assert departure_of([(1, 2, 3, 4), (1, 2)], (1, 2, 9)) == Departure(2, 3)


def words_of(prompt: Prompt) -> tuple[int, ...]:
    """Turn a chat into tokens as a plain template does: a word is a token, and so is each name of a role."""
    assert isinstance(prompt, ChatPrompt)
    words = [word for message in prompt.messages for word in (f"<{message.role}>", *message.text.split(), "<end>")]
    return tuple(KNOWN.setdefault(word, len(KNOWN)) for word in words)


KNOWN: dict[str, int] = {}
READER = PromptReader(words_of, lambda token: next(word for word, number in KNOWN.items() if number == token))


def chat_of(texts: list[str], *, with_system: bool = False) -> ChatPrompt:
    roles = [Role.USER, Role.ASSISTANT] * len(texts)
    return ChatPrompt(
        tuple(Message(role, text) for role, text in zip([Role.SYSTEM] * with_system + roles, texts, strict=False))
    )


@given(texts=st.lists(WORDS, min_size=1, max_size=9), with_system=st.booleans(), draw=st.integers(0, 100))
def test_an_edit_is_found_in_the_message_that_was_edited(texts: list[str], *, with_system: bool, draw: int) -> None:
    place = draw % len(texts)
    before = chat_of(texts, with_system=with_system)
    after = chat_of([*texts[:place], f"{texts[place]} more", *texts[place + 1 :]], with_system=with_system)
    found = find_break([words_of(before)], after, words_of(after), READER)
    assert found is not None
    assert (found.message_index, found.kept_text, found.prompt_text) == (place, "<end>", "more")
    assert words_of(after)[: found.token_index] == words_of(before)[: found.token_index]
    assert found.role is after.messages[place].role
    assert found.messages_after == len(texts) - 1 - place


def test_a_template_that_fails_or_takes_too_long_leaves_the_message_open() -> None:
    before, after = chat_of(["one", "two", "three"]), chat_of(["one", "two", "four"])
    read = words_of(after)

    def refuse(_: Prompt) -> tuple[int, ...]:
        raise ChatTemplateError("It refuses this conversation.", "Change it.")

    failing = PromptReader(refuse, READER.text_of)
    found = find_break([words_of(before)], after, read, failing)
    ticks = iter(number * LIMIT_S for number in range(9))
    late = find_break([words_of(before)], after, read, READER, clock_s=lambda: next(ticks))
    assert found is not None
    assert found == late
    assert (found.kept_text, found.prompt_text, found.message_index) == ("three", "four", None)
    asked = TextPrompt("one two")
    assert find_break([(7,)], asked, (8,), PromptReader(refuse, str)) == PrefixBreak(
        token_index=0, kept_text="7", prompt_text="8"
    )


def test_the_tokens_of_the_chats_used_last_are_remembered() -> None:
    known = EvaluatedTokens(most_tokens=5)
    known.note("", (1, 2))
    known.note("a", (1, 2))
    known.note("b", (3, 4))
    known.note("a", (1, 2, 5))
    assert [known.of(name) for name in ("a", "b", "")] == [((1, 2, 5),), ((3, 4),), ()]
    known.note("c", (6,))
    assert [known.of(name) for name in ("a", "b", "c")] == [((1, 2, 5),), (), ((6,),)]
    known.note("long", tuple(range(9)))
    assert known.of("long") == (tuple(range(9)),)
    known.forget("long")
    assert known.of("long") == ()


# on the real engines

SAYS = "Hello, how are you today?"
LONG = "The cache keeps keys and values. " * 40


@pytest.fixture(scope="module")
def says(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, ...]:
    """Return the tokens of what the models of these tests say."""
    return tuple(write_tokenizer(tmp_path_factory.mktemp("tokenizer")).encode(SAYS).ids)


@contextmanager
def model_of(
    engine: EngineName, folder: Path, template: str, says: tuple[int, ...], kv_store: KvStoreOptions | None = None
) -> Iterator[Engine]:
    path = write_model(folder, engine, GgufRecipe(chat_template=template, chain=says))
    with opened(engine, path, kv_store) as model:
        yield model


@contextmanager
def opened(engine: EngineName, path: Path, kv_store: KvStoreOptions | None) -> Iterator[Engine]:
    if engine is EngineName.LLAMACPP:
        with loaded_engine(path, LoadOptions(kv_store=kv_store)) as served:
            yield served
    else:
        model = loaded(path, kv_store=kv_store)
        yield model
        model.unload()


def answered(engine: Engine, prompt: ChatPrompt, conversation: str = CHAT) -> GenerationStats:
    (reply,) = run(engine, ask(prompt, max_tokens=16, top_logprobs=0, conversation=conversation))
    assert SAYS.startswith(reply.text.strip()) or not reply.text.strip()
    return reply.stats


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_said_of_a_chat_that_goes_on(engine: EngineName, tmp_path: Path, says: tuple[int, ...]) -> None:
    with model_of(engine, tmp_path, CHATML, says) as model:
        first = answered(model, chat_of(["What is prefill?"]))
        second = answered(model, chat_of(["What is prefill?", SAYS, "And decode?"]))
        again = answered(model, chat_of(["What is prefill?", SAYS, "And decode?"]))
        other = answered(model, chat_of(["What is decode?"]), conversation="another chat")
        nobodys = answered(model, chat_of(["Hello"]), conversation="")
    assert [stats.prefix_break for stats in (first, second, again, other, nobodys)] == [None] * 5
    assert second.cached_tokens >= first.prompt_tokens
    assert again.cached_tokens >= second.prompt_tokens - 2


@pytest.mark.parametrize("engine", ENGINES)
def test_an_edit_leaves_the_chat_at_the_message_that_was_edited(
    engine: EngineName, tmp_path: Path, says: tuple[int, ...]
) -> None:
    with model_of(engine, tmp_path, CHATML, says) as model:
        answered(model, chat_of(["Be kind.", "What is prefill?", SAYS, "And decode?"], with_system=True))
        edited = answered(model, chat_of(["Be kind.", "What is prefill?", SAYS, "And the cache?"], with_system=True))
        system = answered(model, chat_of(["Be brief.", "What is prefill?"], with_system=True))
    found = edited.prefix_break
    assert found is not None
    assert (found.message_index, found.kept_text, found.prompt_text) == (3, *differing(" decode?", " the cache?"))
    # Engines may read a few tokens more than need be, never fewer.
    assert found.token_index - 1 <= edited.cached_tokens <= found.token_index
    assert system.prefix_break is not None
    assert system.prefix_break.message_index == 0
    assert system.cached_tokens <= system.prefix_break.token_index


def differing(one: str, other: str) -> tuple[str, str]:
    """Return the first token of each; they are other ones."""
    with TemporaryDirectory() as folder:
        tokenizer = write_tokenizer(Path(folder))
        first, second = (tokenizer.decode(tokenizer.encode(text).ids[:1]) for text in (one, other))
    assert first != second
    return first, second


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("template", "message_index"),
    [
        pytest.param(TIME_IN_FRONT, None, id="time"),
        pytest.param(TOOLS_IN_FRONT, None, id="tools"),
        pytest.param(THINKING, 1, id="reasoning"),
        pytest.param(TRIMMING, 0, id="white space"),
    ],
)
def test_a_template_that_breaks_prefixes_is_caught_where_it_does(
    engine: EngineName, tmp_path: Path, says: tuple[int, ...], template: str, message_index: int | None
) -> None:
    question = "What is prefill? \n "
    with model_of(engine, tmp_path, template, says) as model:
        answered(model, chat_of([question]))
        second = answered(model, chat_of([question, SAYS, "And decode?"]))
    found = second.prefix_break
    assert found is not None
    assert found.message_index == message_index
    assert found.kept_text != found.prompt_text
    # What is used again is decided by the tokens that were evaluated, whatever the messages say.
    assert second.cached_tokens <= found.token_index


@pytest.mark.parametrize("config", [SLIDING_WINDOW, RECURRENT_STATE], ids=["window", "state"])
def test_snapshots_at_the_ends_of_messages_save_what_precedes_the_break(tmp_path: Path, config: Config) -> None:
    write_random_architecture(tmp_path / "model", config)
    (tmp_path / "model" / "chat_template.jinja").write_text(TRIMMING, encoding="utf-8")
    engine = loaded(tmp_path / "model", prefill_chunk_tokens=64)
    texts = [LONG, LONG, "x", "What is prefill? \n "]
    run(engine, ask(chat_of(texts, with_system=True), conversation=CHAT))
    (reply,) = run(engine, ask(chat_of([*texts, "x", "Go on."], with_system=True), conversation=CHAT))
    found = reply.stats.prefix_break
    assert found is not None
    assert found.message_index == 3
    assert CHECKPOINT_DISTANCE_TOKENS <= reply.stats.cached_tokens <= found.token_index
    engine.unload()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_forgotten_is_left_by_no_prompt(engine: EngineName, tmp_path: Path, says: tuple[int, ...]) -> None:
    with model_of(engine, tmp_path, CHATML, says) as model:
        answered(model, chat_of(["What is prefill?"]))
        model.forget_caches(CHAT)
        assert answered(model, chat_of(["And decode?"])).prefix_break is None


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_on_disk_counts_as_kept_after_a_restart(
    engine: EngineName, tmp_path: Path, says: tuple[int, ...]
) -> None:
    kv_store = KvStoreOptions(folder=str(tmp_path / "kv"), idle_s=0.0, least_tokens=8)
    texts = [LONG, "What is prefill?", SAYS, "And decode?"]
    with model_of(engine, tmp_path, CHATML, says, kv_store) as model:
        answered(model, chat_of(texts, with_system=True))
        deadline = monotonic() + 30
        while not KvFolder(tmp_path / "kv").entries():
            model.step()
            assert monotonic() < deadline, "nothing was written"
    (entry,) = KvFolder(tmp_path / "kv").entries()
    assert entry.record.conversation == CHAT
    path = tmp_path / ("model.gguf" if engine is EngineName.LLAMACPP else "model")
    with opened(engine, path, kv_store) as again:
        edited = answered(again, chat_of([*texts[:3], "And the cache?"], with_system=True))
    assert edited.prefix_break is not None
    assert (edited.prefix_break.message_index, edited.prefix_break.role) == (3, Role.USER)
    assert edited.cache_origin is CacheOrigin.DISK
