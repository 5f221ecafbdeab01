"""Chats go into files and come back whole; what cannot be done says why and loses nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from desktop.state.transfer_state import ExportFormat
from runtime.store.transfer_format import parsed
from runtime.values.chat import ChatId
from runtime.values.errors import StoreError
from tests.desktop.open_window_state import OpenState
from tests.runtime.store.chat_examples import add_exchange, texts


async def add_chat(state: OpenState, title: str) -> ChatId:
    chat = await state.storage.run(lambda opened: opened.store.chats.create(title=title))
    await state.storage.run(lambda opened: add_exchange(opened.store, chat.id, f"What is {title}?", "An **answer**."))
    return chat.id


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_markdown_holds_question_and_answer(state: OpenState, tmp_path: Path) -> None:
    chat_id = await add_chat(state, "entropy")
    written: list[Path] = []
    state.transfer.exported.connect(written.append)
    file = tmp_path / "entropy.md"
    await state.transfer.export_chat(chat_id, file, ExportFormat.MARKDOWN)
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# entropy\n")
    assert "What is entropy?" in text
    assert "An **answer**." in text
    assert written == [file]


async def test_exported_chats_can_be_imported_again(state: OpenState, tmp_path: Path) -> None:
    before = [await add_chat(state, "one"), await add_chat(state, "two")]
    file = tmp_path / "all.json"
    await state.transfer.export_all(file)
    imported = await state.transfer.import_file(file)
    assert len(imported) == 2
    assert not set(imported) & set(before)
    assert sorted(chat.title for chat in state.chats.chats) == ["one", "one", "two", "two"]
    paths = await state.storage.run(lambda opened: [opened.store.messages.current_path(number) for number in imported])
    assert sorted(map(texts, paths)) == [["What is one?", "An **answer**."], ["What is two?", "An **answer**."]]


async def test_one_chat_as_json_is_that_chat_alone(state: OpenState, tmp_path: Path) -> None:
    await add_chat(state, "one")
    second = await add_chat(state, "two")
    file = tmp_path / "two.json"
    await state.transfer.export_chat(second, file, ExportFormat.JSON)
    assert [chat.title for chat in parsed(file.read_bytes()).chats] == ["two"]


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"[]", b'{"format": "something else"}'])
async def test_a_file_that_is_no_export_adds_nothing(state: OpenState, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.json"
    file.write_bytes(content)
    with pytest.raises(StoreError):
        await state.transfer.import_file(file)
    assert await state.storage.run(lambda opened: opened.store.chats.summaries()) == ()


async def test_a_missing_file_is_named(state: OpenState, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"not-there\.json"):
        await state.transfer.import_file(tmp_path / "not-there.json")


async def test_an_export_that_fails_leaves_the_file_that_was_there(state: OpenState, tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    file.write_bytes(b"old")
    with pytest.raises(StoreError):
        await state.transfer.export_chat(ChatId(99), file, ExportFormat.JSON)
    with pytest.raises(StoreError):
        await state.transfer.export_all(tmp_path / "no such folder" / "all.json")
    assert file.read_bytes() == b"old"
    assert [name for name in names_in(tmp_path) if name.endswith(".new")] == []


async def test_no_chats_are_an_export_without_chats(state: OpenState, tmp_path: Path) -> None:
    file = tmp_path / "none.json"
    await state.transfer.export_all(file)
    assert msgspec.json.decode(file.read_bytes(), type=dict[str, object])["chats"] == []
    assert await state.transfer.import_file(file) == ()
