"""What is exported comes back as it was; a file from anywhere is imported whole or refused with a reason."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.store import transfer_format
from runtime.store.opening import FILE_NAME, Store, open_store
from runtime.store.transfer import export_json, import_json, read_file, write_file
from runtime.store.transfer_format import ChatExport, ExportedChat, ExportedMessage
from runtime.values.chat import ChatId, MessageState
from runtime.values.errors import ErrorReport, StoreError
from runtime.values.generation import StopReason, TextKind
from runtime.values.kv_cache import CacheOrigin, PrefixBreak
from runtime.values.prompt import Role
from runtime.values.sampling import SamplingParams
from tests.runtime.store.chat_examples import DONE, INT4, STATS, add_exchange, add_reply, chain_export, texts

WHOLE = chain_export("whole", ["question", "answer"], STATS)


@pytest.fixture(scope="module")
def shared_store() -> Iterator[Store]:
    """Return a store for properties that do not mind what others put into it."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / FILE_NAME).store
        yield store
        store.close()


def test_every_branch_and_figure_comes_back(store: Store) -> None:
    chat = store.chats.create(system_prompt="Be brief.", sampling=SamplingParams(seed=3), model="demo").id
    first, reply = add_exchange(store, chat, "question", "answer one")
    add_reply(store, chat, first.id, "answer two")
    store.messages.select(reply.id)
    removed = store.messages.add_user(chat, None, "removed")
    store.messages.delete(removed.id)
    content = export_json(store, [chat])
    (copy,) = import_json(store, content)

    original, copied = store.messages.current_path(chat), store.messages.current_path(copy)
    assert texts(copied) == texts(original) == ["question", "answer one"]
    assert store.messages.stats_of(copied[1].id) == STATS
    assert store.chats.get(copy).sampling.seed == 3
    assert [len(message.sibling_ids) for message in copied] == [1, 2]
    assert {hit.chat.id for hit in store.search.find("answer two").messages} == {chat, copy}
    assert b"removed" not in content
    assert same_chats(content, export_json(store, [copy]))


def same_chats(first: bytes, second: bytes) -> bool:
    """Tell whether two exports hold the same, but for the time they were made."""
    return msgspec.json.decode(first, type=ChatExport).chats == msgspec.json.decode(second, type=ChatExport).chats


def test_a_reply_being_written_is_exported_as_interrupted(store: Store) -> None:
    chat = store.chats.create(title="-").id
    writer = store.replies.begin(chat, None, model=None, quantization=None)
    writer.append("half an ans", TextKind.ANSWER)
    writer.flush()
    (copy,) = import_json(store, export_json(store, [chat]))
    (message,) = store.messages.current_path(copy)
    assert (message.text, message.state) == ("half an ans", MessageState.INTERRUPTED)


NUMBERS = st.floats(0, 1e9)
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
REPORTS = st.builds(ErrorReport, st.just("worker-lost"), TEXTS, TEXTS, TEXTS)
STATES = st.sampled_from([state for state in MessageState if state is not MessageState.STREAMING])
SAMPLINGS = st.builds(
    SamplingParams, temperature=st.floats(0, 5), top_k=st.integers(0, 100), seed=st.none() | st.integers(0, 2**32 - 1)
)


@st.composite
def exported_chats(draw: st.DrawFn) -> ExportedChat:
    """Return any chat that can be exported: exactly one version is looked at wherever there are several."""
    count = draw(st.integers(0, 12))
    parents = [draw(st.none() | st.integers(0, place - 1)) if place else None for place in range(count)]
    chosen = {parent: draw(st.sampled_from([i for i, p in enumerate(parents) if p == parent])) for parent in parents}
    messages = [
        ExportedMessage(
            parent=parent,
            is_chosen=chosen[parent] == place,
            role=draw(st.sampled_from([Role.USER, Role.ASSISTANT])),
            text=draw(TEXTS),
            state=draw(STATES),
            created_unix_ms=draw(st.integers(0, 2**53)),
            reasoning=draw(TEXTS),
            reasoning_ms=draw(st.none() | NUMBERS),
            stop_reason=draw(st.none() | st.sampled_from(StopReason)),
            error=draw(st.none() | REPORTS),
            model=draw(st.none() | TEXTS),
            quantization=draw(st.none() | st.just(INT4)),
            stats=draw(st.none() | st.just(STATS)),
        )
        for place, parent in enumerate(parents)
    ]
    return ExportedChat(
        title=" ".join(draw(TEXTS).split()),
        title_is_automatic=draw(st.booleans()),
        is_pinned=draw(st.booleans()),
        created_unix_ms=draw(st.integers(0, 2**53)),
        updated_unix_ms=draw(st.integers(0, 2**53)),
        system_prompt=draw(TEXTS),
        sampling=draw(SAMPLINGS),
        model=draw(st.none() | TEXTS),
        messages=tuple(messages),
    )


@settings(max_examples=60)
@given(chats=st.lists(exported_chats(), max_size=3))
def test_import_then_export_gives_the_same_file(shared_store: Store, chats: list[ExportedChat]) -> None:
    content = msgspec.json.encode(ChatExport(exported_unix_ms=0, chats=tuple(chats)))
    exported = export_json(shared_store, import_json(shared_store, content))
    assert msgspec.json.decode(exported, type=ChatExport).chats == tuple(chats)


def altered(**changes: object) -> bytes:
    """Return an export whose second message has other values, whatever they are."""
    export = msgspec.to_builtins(ChatExport(exported_unix_ms=0, chats=(WHOLE,)))
    export["chats"][0]["messages"][1].update(changes)
    return msgspec.json.encode(export)


def altered_chat(**changes: object) -> bytes:
    """Return an export whose chat has other values."""
    export = msgspec.to_builtins(ChatExport(exported_unix_ms=0, chats=(WHOLE,)))
    export["chats"][0].update(changes)
    return msgspec.json.encode(export)


def with_stats(**changes: object) -> bytes:
    """Return an export whose reply has other figures."""
    return altered(stats={**msgspec.to_builtins(STATS), **changes})


HOSTILE = {
    "empty": b"",
    "not JSON": b"# Markdown",
    "another format": b'{"format": "bookmarks", "version": 1}',
    "list": b"[]",
    "no version": b'{"format": "first-token-chats", "exported_unix_ms": 0, "chats": []}',
    "not UTF-8": b'{"format": "\xff\xfe"}',
    "deep": b'{"format": "first-token-chats", "version": 1, "chats": ' + b"[" * 100_000,
    "cut": altered()[:-40],
    "parent after child": altered(parent=1),
    "parent beyond the end": altered(parent=99),
    "negative parent": altered(parent=-1),
    "system message": altered(role="system"),
    "unknown role": altered(role="root"),
    "streaming": altered(state="streaming"),
    "unknown state": altered(state="magic"),
    "text is a number": altered(text=7),
    "time before 1970": altered(created_unix_ms=-1),
    "time beyond time": altered(created_unix_ms=2**60),
    "unknown engine": with_stats(engine="warp"),
    "huge figure": with_stats(context_limit_tokens=2**80),
    "huge token time": with_stats(token_times_ms=[1e300]),
    "missing figure": altered(stats={"engine": "mlx"}),
    "sampling out of range": altered_chat(sampling={"temperature": 1e9}),
    "chat without title": altered_chat(title=None),
    "chat updated beyond time": altered_chat(updated_unix_ms=2**60),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_makes_no_sense_is_refused_whole(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="cannot be imported"):
        import_json(store, HOSTILE[name])
    assert store.chats.summaries() == ()


def test_a_newer_file_says_so(store: Store) -> None:
    with pytest.raises(StoreError, match="newer version"):
        import_json(store, b'{"format": "first-token-chats", "version": 2, "threads": []}')


@pytest.mark.parametrize(
    ("limit", "reason"), [("MAX_FILE_BYTES", "larger"), ("MAX_CHATS", "chats"), ("MAX_MESSAGES", "messages")]
)
def test_sizes_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch, limit: str, reason: str) -> None:
    monkeypatch.setattr(transfer_format, limit, 0)
    with pytest.raises(StoreError, match=reason):
        import_json(store, altered())


@given(
    content=st.binary(max_size=200)
    | st.builds(
        lambda at, byte: altered()[:at] + byte + altered()[at + 1 :],
        st.integers(0, 500),
        st.binary(min_size=1, max_size=1),
    )
)
def test_any_bytes_are_imported_or_refused(shared_store: Store, content: bytes) -> None:
    try:
        import_json(shared_store, content)
    except StoreError:
        return


def test_unstorable_text_is_made_storable(store: Store) -> None:
    (chat,) = import_json(store, altered(text="nul \x00 here", model="m\x00"))
    assert store.messages.current_path(chat)[1].text == "nul \ufffd here"


def test_files_are_written_whole_and_read_back(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "chats.json"
    write_file(file, b"old")
    content = export_json(store, [store.chats.create(title="x").id])
    write_file(file, content)
    assert read_file(file) == content
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".sqlite3" and path.is_file()] == ["chats.json"]
    with pytest.raises(StoreError, match="No such file"):
        read_file(tmp_path / "nowhere.json")
    with pytest.raises(StoreError):
        write_file(tmp_path / "nowhere" / "x.json", content)
    with pytest.raises(StoreError):
        export_json(store, [ChatId(99)])


def test_where_a_prompt_left_what_was_kept_is_stored_and_exported(store: Store) -> None:
    found = PrefixBreak(
        token_index=7, kept_text="\ud800 <think>", prompt_text="OK", message_index=3, messages_after=1, role=Role.USER
    )
    stats = msgspec.structs.replace(STATS, cache_origin=CacheOrigin.DISK, prefix_break=found)
    chat = store.chats.create().id
    asked = store.messages.add_user(chat, None, "question")
    writer = store.replies.begin(chat, asked.id, model=None, quantization=None)
    writer.finish(msgspec.structs.replace(DONE, stats=stats))
    imported = import_json(store, export_json(store, [chat]))[0]
    for one in (chat, imported):
        kept = store.messages.current_path(one)[-1].stats
        assert kept is not None
        assert kept.cache_origin is CacheOrigin.DISK
        assert kept.prefix_break == msgspec.structs.replace(found, kept_text="\ufffd <think>")
