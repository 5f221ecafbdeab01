"""What keys do, wherever the focus is."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from runtime.values.chat import MessageState
from tests.desktop.window.opened_window import SLOW, Home, until
from tests.desktop.window.sidebar import Sidebar


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
