"""A database that cannot be used is kept aside and named, or left alone; nothing is ever written over it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from PySide6.QtCore import Qt

from runtime.store.migrations import LATEST_VERSION
from tests.desktop.window.opened_window import Home
from tests.desktop.window.sidebar import Sidebar

PAGE_BYTES = 4096


async def leave_a_chat(home: Home) -> None:
    """Have a window make a database, and leave it without its log."""
    async with home.open_scripted() as window:
        await window.ask("About bees")
        window.write("half a thought")
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def kept_aside(home: Home) -> list[bytes]:
    return [file.read_bytes() for file in home.database.parent.glob("*corrupt*.sqlite3")]


async def test_a_file_that_is_no_database_is_kept_aside_and_named(home: Home) -> None:
    home.database.parent.mkdir(parents=True)
    home.database.write_bytes(b"not a database at all" * 1000)
    async with home.open_scripted() as window:
        assert kept_aside(home) == [b"not a database at all" * 1000]
        (file,) = home.database.parent.glob("*corrupt*.sqlite3")
        assert str(file) in window.notice
        await window.ask("About bees")
        assert window.texts == ["About bees", "Hello there!"]
    async with home.open() as window:
        assert not window.notice
        assert window.texts == ["About bees", "Hello there!"]


async def test_what_can_be_read_of_a_damaged_database_is_there(home: Home) -> None:
    await leave_a_chat(home)
    content = bytearray(home.database.read_bytes())
    content[-PAGE_BYTES:] = b"\xff" * PAGE_BYTES
    home.database.write_bytes(content)
    async with home.open() as window:
        assert "was damaged" in window.notice
        assert kept_aside(home) == [bytes(content)]
        await window.ask("Still here?")
        assert "Still here?" in window.texts


async def test_a_database_of_a_newer_version_is_left_alone(home: Home) -> None:
    await leave_a_chat(home)
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = home.database.read_bytes()
    async with home.open() as window:
        assert str(home.database) in window.notice
        assert "newer version" in window.notice
        window.write("A long thought")
        window.press(Qt.Key.Key_Return)
        await window.idle()
        assert window.composer.toPlainText() == "A long thought"
        assert "newer version" in window.text_of("composerNotice")
        assert window.path == ()
    assert home.database.read_bytes() == before
    assert kept_aside(home) == []
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute(f"PRAGMA user_version = {LATEST_VERSION}")
    async with home.open() as window:
        assert Sidebar(window).titles == ["About bees"]
        assert window.composer.toPlainText() == "half a thought"
        window.click("newChatButton")
        assert window.composer.toPlainText() == "A long thought"
    async with home.open() as window:
        assert window.states.chat.new_draft == "A long thought"
    assert not list(home.paths.config_file.parent.glob("unsent*"))


async def test_what_was_typed_beside_a_newer_database_is_there_at_the_next_start(home: Home) -> None:
    await leave_a_chat(home)
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("PRAGMA user_version = 99")
    async with home.open() as window:
        window.write("A long thought")
    async with home.open() as window:
        assert window.composer.toPlainText() == "A long thought"
        window.write(", longer")
    async with home.open() as window:
        assert window.composer.toPlainText() == "A long thought, longer"
