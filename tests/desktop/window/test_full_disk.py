"""A full or write-protected disk: the window says so, loses nothing that was typed, and goes on once there is room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt

from runtime.values.chat import MessageState
from tests.desktop.window.opened_window import QUICK, SLOW, Home, until
from tests.desktop.window.sidebar import Sidebar
from tests.desktop.window.small_disk import SmallDisk, mounted_disk


@pytest.fixture
def disk(home: Home) -> Iterator[SmallDisk]:
    """Return the disk that the chats are on; settings and models are elsewhere."""
    with mounted_disk(home.paths.data) as mounted:
        yield mounted


async def test_a_message_that_cannot_be_saved_stays_in_its_field(home: Home, disk: SmallDisk) -> None:
    async with home.open_scripted(QUICK) as window:
        await window.ask("One")
        disk.fill()
        text = "A long thought " * 1000
        window.composer.insertPlainText(text)
        window.press(Qt.Key.Key_Return)
        await window.idle()
        assert "The disk is full" in window.text_of("composerNotice")
        assert window.composer.toPlainText() == text
        assert window.texts == ["One", "Hello there!"]
        disk.free()
        window.press(Qt.Key.Key_Return)
        await window.idle()
        assert window.path[2].text == text
        assert window.composer.toPlainText() == ""
        assert not window.text_of("composerNotice")


async def test_a_reply_that_cannot_be_saved_stays_on_the_screen_and_is_saved_later(home: Home, disk: SmallDisk) -> None:
    async with home.open_scripted(SLOW) as window:
        window.write("Count")
        window.press(Qt.Key.Key_Return)
        await window.streaming()
        disk.fill()
        await window.streaming(len(window.texts[1]) + 200)
        window.press(Qt.Key.Key_Escape)
        await window.idle()
        shown = window.texts[1].split()
        assert shown == [f"word{number}" for number in range(len(shown))]
        assert "The disk is full" in window.message_view(-1).notice
        window.click("newChatButton")
        await Sidebar(window).click("Count")
        assert window.texts[1].split() == shown
        disk.free()
        window.click("newChatButton")
        await Sidebar(window).click("Count")
        assert window.path[1].state is MessageState.STOPPED
        assert not window.message_view(-1).notice
    async with home.open() as window:
        assert window.texts[1].split() == shown


async def test_a_write_protected_folder_is_named_and_the_window_works_once_it_is_not(
    home: Home, disk: SmallDisk
) -> None:
    disk.protect()
    async with home.open_scripted(QUICK) as window:
        assert str(home.database) in window.notice
        window.write("One")
        window.press(Qt.Key.Key_Return)
        await window.idle()
        assert window.composer.toPlainText() == "One"
        assert str(home.database) in window.text_of("composerNotice")
        disk.protect(is_protected=False)
        window.press(Qt.Key.Key_Return)
        await until(lambda: window.texts == ["One", "Hello there!"], "reply")
        await window.idle()
