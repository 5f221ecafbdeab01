"""What keys do wherever the focus is, and what a click on a link does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMessageBox

from runtime.engine.scripted_engine import Script
from runtime.values.chat import MessageState
from tests.desktop.chat.transcript.screen import caret_point
from tests.desktop.window.opened_window import SLOW, Home, until
from tests.desktop.window.sidebar import Sidebar

WITH_LINK = Script(
    replies=(("See [the bank](https://example.org/elsewhere) ", "<img src='https://example.org/pixel'>"),),
    prefill_tokens_per_second=1e6,
    decode_tokens_per_second=2000,
)


class Browser(QObject):
    """Opens nothing; notes what it was asked to open."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    @Slot(QUrl)
    def open(self, url: QUrl) -> None:
        """Take an address."""
        self.opened.append(url.toString())


@pytest.fixture
def browser() -> Iterator[Browser]:
    stand_in = Browser()
    QDesktopServices.setUrlHandler("https", stand_in, "open")
    yield stand_in
    QDesktopServices.unsetUrlHandler("https")


async def test_a_link_is_opened_only_after_its_address_was_shown(home: Home, browser: Browser) -> None:
    async with home.open_scripted(WITH_LINK) as window:
        await window.ask("Where?")
        transcript = window.desktop.chat_panel.transcript
        for answer in ("linkDialogCancelButton", "linkDialogYesButton"):
            spot = caret_point(transcript, "the bank", 2)
            QTest.mouseMove(transcript.viewport(), spot)
            QTest.mouseClick(transcript.viewport(), Qt.MouseButton.LeftButton, pos=spot)
            dialog = window.find(QMessageBox, "linkDialog")
            assert "https://example.org/elsewhere" in dialog.text()
            assert browser.opened == []
            window.click(answer)
            await until(lambda: not window.widget.findChildren(QMessageBox), "end of the question")
        assert browser.opened == ["https://example.org/elsewhere"]
        assert "<img" in window.texts[1]


async def test_escape_stops_a_reply_wherever_the_focus_is(home: Home) -> None:
    async with home.open_scripted(SLOW) as window:
        window.write("Count")
        window.press(Qt.Key.Key_Return)
        await window.streaming()
        window.find(QLineEdit, "searchField").setFocus()
        window.press(Qt.Key.Key_Escape, where=window.find(QLineEdit, "searchField"))
        await until(lambda: not window.states.chat.busy, "end of the reply")
        assert window.path[-1].state is MessageState.STOPPED


async def test_find_opens_over_the_chat_and_escape_closes_it(home: Home) -> None:
    async with home.open_scripted() as window:
        await window.ask("Where is there?")
        window.choose("findAction")
        field = window.find(QLineEdit, "findField")
        await until(field.hasFocus, "focus in the find field")
        QTest.keyClicks(field, "there")
        await until(lambda: window.text_of("findCount") == "1 of 2", "hits")
        window.press(Qt.Key.Key_Escape, where=field)
        await until(lambda: not window.find_control("findBar").isVisible(), "closed find bar")


async def test_the_usual_keys_do_the_usual_things(home: Home) -> None:
    async with home.open_scripted() as window:
        await window.ask("One")
        QTest.keySequence(window.composer, "Ctrl+N")
        await until(lambda: window.path == (), "new chat")
        QTest.keySequence(window.composer, "Ctrl+Shift+F")
        await until(lambda: QApplication.focusWidget() is Sidebar(window).search, "focus in the search field")
