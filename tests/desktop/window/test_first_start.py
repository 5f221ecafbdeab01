"""The welcome of the first start: once, in nobody's way, and true of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

from desktop.after_start import after_start, welcome
from desktop.chat.greeting import Greeting
from desktop.state.engine_state import Serving
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import EngineName
from tests.desktop.controls import controls_of
from tests.desktop.window.opened_window import QUICK, Home, OpenedWindow, until

FAST = MemoryBandwidth(
    bytes_per_second=4e11,
    median_bytes_per_second=4e11,
    slowest_bytes_per_second=4e11,
    rounds=3,
    buffer_bytes=1 << 30,
    cached_bytes=0,
    reader="GPU",
)


@asynccontextmanager
async def first_start(home: Home) -> AsyncIterator[OpenedWindow]:
    """Open the window for the first time, with its welcome."""
    home.use_script(QUICK)
    async with home.open(waits=False) as window:
        assert window.desktop.is_first_start
        await welcome(window.desktop)
        await window.ready()
        await window.idle("welcome")
        yield window


def greetings(window: OpenedWindow) -> list[Greeting]:
    """Return the welcomes of a first start that can be seen."""
    return [one for one in window.widget.findChildren(Greeting) if one.isVisible()]


async def test_it_says_what_this_machine_can_run(home: Home) -> None:
    async with first_start(home) as window:
        assert "of memory" in window.text_of("greetingMachine")
        assert "being measured" in window.text_of("greetingSuggestion")
        window.desktop.metrics.observe_bandwidth(FAST)
        await until(lambda: "tok/s" in window.text_of("greetingSuggestion"), "a model that runs well")
        assert "a download of" in window.text_of("greetingSuggestion")


async def test_the_demo_model_is_ready(home: Home) -> None:
    home.use(EngineName.LLAMACPP, "demo")
    async with home.open(waits=False) as window:
        await welcome(window.desktop)
        await until(lambda: isinstance(window.status, Serving), "the demo model")
        assert window.text_of("greetingModel").startswith("The demo model: tiny")
        await window.idle()


async def test_start_chatting_puts_the_usual_welcome_there_and_the_cursor_where_messages_are_written(
    home: Home,
) -> None:
    async with first_start(home) as window:
        assert not window.find(QWidget, "welcome").isVisible()
        window.click("greetingStartButton")
        assert greetings(window) == []
        assert window.find(QWidget, "welcome").isVisible()
        assert QApplication.focusWidget() is window.composer


async def test_the_first_message_need_not_wait_for_it(home: Home) -> None:
    async with first_start(home) as window:
        reply = await window.ask("Hello")
        assert reply.text
        assert greetings(window) == []
        window.click("newChatButton")
        assert window.find(QWidget, "welcome").isVisible()
        await window.idle()


async def test_a_real_model_is_chosen_in_the_picker(home: Home) -> None:
    async with first_start(home) as window:
        window.click("greetingModelsButton")
        assert window.find(QWidget, "modelPicker").isVisible()
        await window.idle()


async def test_it_is_reached_by_keyboard_and_every_part_has_a_name(home: Home) -> None:
    async with first_start(home) as window:
        (greeting,) = greetings(window)
        controls = controls_of(greeting)
        assert {control.objectName() for control in controls} == {"greetingModelsButton", "greetingStartButton"}
        assert all(control.accessibleName() and control.toolTip() for control in controls)
        assert all(control.focusPolicy() & Qt.FocusPolicy.TabFocus for control in controls)
        window.find_control("greetingModelsButton").setFocus()
        window.press(Qt.Key.Key_Tab, where=window.find_control("greetingModelsButton"))
        assert QApplication.focusWidget() is window.find_control("greetingStartButton")
        window.press(Qt.Key.Key_Space, where=window.find_control("greetingStartButton"))
        assert greetings(window) == []


@pytest.mark.parametrize("says_a_message", [True, False])
async def test_the_second_start_has_none(home: Home, says_a_message: bool) -> None:
    async with first_start(home) as window:
        if says_a_message:
            await window.ask("Hello")
    async with home.open() as window:
        assert not window.desktop.is_first_start
        await after_start(window.desktop, quiet_s=0)
        assert window.widget.findChildren(Greeting) == []


async def test_who_had_an_earlier_version_is_not_welcomed(home: Home) -> None:
    async with home.open_scripted() as window:
        assert window.desktop.is_first_start
    async with home.open() as window:
        assert not window.desktop.is_first_start


async def test_a_damaged_catalog_leaves_the_rest(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desktop.state.machine_outlook.CATALOG_FILE_NAME", "missing.json")
    async with first_start(home) as window:
        await asyncio.sleep(0)
        assert window.text_of("greetingTitle") == "Welcome to First Token"
        assert window.notice == ""
