"""Chats into files and back, by the menus and the file dialogs."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog

from tests.desktop.window.opened_window import Home, OpenedWindow, until
from tests.desktop.window.sidebar import Sidebar


async def choose_file(window: OpenedWindow, dialog_name: str, file: Path, kind: str = "") -> None:
    """Name a file in the dialog that is open, and accept it."""
    dialog = window.find(QFileDialog, dialog_name)
    if kind:
        chosen = next(name for name in dialog.nameFilters() if kind in name)
        dialog.selectNameFilter(chosen)
        dialog.filterSelected.emit(chosen)
    dialog.selectFile(str(file))
    dialog.accept()
    await window.idle(str(file))


async def test_a_chat_is_exported_as_markdown(home: Home, tmp_path: Path) -> None:
    async with home.open_scripted() as window:
        await window.ask("About bees")
        window.choose("exportChatAction")
        await choose_file(window, "exportDialog", tmp_path / "bees v1.5", "md")
        assert "bees v1.5.md" in window.notice
    text = (tmp_path / "bees v1.5.md").read_text(encoding="utf-8")
    assert text.startswith("# About bees\n")
    assert "Hello there!" in text


async def test_a_file_is_not_replaced_without_asking(home: Home, tmp_path: Path) -> None:
    (tmp_path / "bees v1.5.md").write_text("kept", encoding="utf-8")
    async with home.open_scripted() as window:
        await window.ask("About bees")
        window.choose("exportChatAction")
        await choose_file(window, "exportDialog", tmp_path / "bees v1.5", "md")
        assert (tmp_path / "bees v1.5.md").read_text(encoding="utf-8") == "kept"
        window.click("replaceFileYesButton")
        await window.idle()
        assert (tmp_path / "bees v1.5.md").read_text(encoding="utf-8") != "kept"


async def test_an_exported_chat_is_imported_with_all_its_versions(home: Home, tmp_path: Path) -> None:
    async with home.open_scripted() as window:
        await window.ask("About bees")
        await window.beside(-1, "regenerateButton")
        await window.idle()
        await Sidebar(window).choose("About bees", "exportListedChatAction")
        await choose_file(window, "exportDialog", tmp_path / "bees.json", "json")
        await Sidebar(window).choose("About bees", "deleteChatAction")
        assert Sidebar(window).titles == []
        window.choose("importAction")
        await choose_file(window, "importDialog", tmp_path / "bees.json")
        assert Sidebar(window).titles == ["About bees"]
        assert window.texts == ["About bees", "Hello there!"]
        assert len(window.path[-1].sibling_ids) == 2


async def test_all_chats_are_exported_at_once(home: Home, tmp_path: Path) -> None:
    async with home.open_scripted() as window:
        await window.ask("About bees")
        window.click("newChatButton")
        await window.ask("About moss")
        window.choose("exportAllAction")
        await choose_file(window, "exportAllDialog", tmp_path / "all")
        window.choose("importAction")
        await choose_file(window, "importDialog", tmp_path / "all.json")
        assert sorted(Sidebar(window).titles) == ["About bees", "About bees", "About moss", "About moss"]


async def test_a_file_that_is_no_export_is_refused(home: Home, tmp_path: Path) -> None:
    (tmp_path / "letter.json").write_text("Dear aunt", encoding="utf-8")
    async with home.open_scripted() as window:
        window.choose("importAction")
        await choose_file(window, "importDialog", tmp_path / "letter.json")
        await until(lambda: window.notice, "why not")
        assert "cannot be imported" in window.notice
        assert Sidebar(window).titles == []


async def test_an_empty_chat_has_nothing_to_export(home: Home) -> None:
    async with home.open_scripted() as window:
        window.choose("exportChatAction")
        assert window.widget.findChildren(QFileDialog) == []
        assert window.notice
