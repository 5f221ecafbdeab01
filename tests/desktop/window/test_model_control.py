"""The model button: loading, unloading, what does not load, and a worker that is killed."""

from __future__ import annotations

import psutil
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QMenu

from desktop.state.engine_state import LoadFailed, Loading, NoModel, Serving
from runtime.engine.scripted_engine import Script
from runtime.values.chat import MessageState
from tests.desktop.window.opened_window import QUICK, SLOW, Home, OpenedWindow, until

SLOW_TO_LOAD = Script(load_s=600.0, prefill_tokens_per_second=1e6)


async def model_menu(window: OpenedWindow, *, is_idle: bool = True) -> QMenu:
    """Open the menu of models with a click."""
    window.click("modelButton")
    await until(lambda: window.is_at_rest or not is_idle, "list of models")
    return window.find(QMenu, "modelListMenu")


async def choose_in_menu(window: OpenedWindow, name: str) -> None:
    menu = await model_menu(window)
    (action,) = menu.findChildren(QAction, name)
    assert action.isEnabled()
    action.trigger()
    menu.close()


def button_text(window: OpenedWindow) -> str:
    return window.find(QAbstractButton, "modelButton").text()


def kill_worker(window: OpenedWindow) -> None:
    (worker,) = window.workers()
    worker.kill()


async def test_the_button_names_the_model_its_quantization_and_size(home: Home) -> None:
    async with home.open_scripted(Script(weights_bytes=123_000_000)) as window:
        assert button_text(window) == "scripted · INT4 · 123 MB"
        assert window.find_control("modelButton").accessibleName() == "Model: scripted · INT4 · 123 MB"


async def test_the_menu_lists_each_model_once_and_marks_the_one_that_answers(home: Home) -> None:
    async with home.open() as window:
        assert isinstance(window.status, Serving)
        menu = await model_menu(window)
        entries = [one for one in menu.actions() if one.objectName().startswith("loadModelAction")]
        quantizations = [entry.text().partition("\t")[2].partition(" ")[0] for entry in entries]
        assert sorted(quantizations) == ["Q4_0", "Q8_0"], "as llama.cpp reads them, which the demo's names mean here"
        answers = window.status.model.quantization.name
        assert [entry.isChecked() for entry in entries] == [name == answers for name in quantizations]
        menu.close()


async def test_unloading_ends_the_worker_and_choosing_loads_again(home: Home) -> None:
    async with home.open_scripted(QUICK) as window:
        (worker,) = window.workers()
        await choose_in_menu(window, "unloadModelMenuAction")
        await until(lambda: isinstance(window.status, NoModel), "no model")
        assert not psutil.pid_exists(worker.pid)
        assert button_text(window) == "Choose a model"
        assert window.text_of("quantizationValue") == "–"
        window.desktop.model_button.load_requested.emit(str(home.folder / "scripted.json"))
        await until(lambda: isinstance(window.status, Serving), "the model again")
        await window.ask("Are you back?")
        assert window.texts[-1] == "Hello there!"


async def test_without_a_model_a_message_says_what_to_do_and_is_not_lost(home: Home) -> None:
    async with home.open_scripted(QUICK) as window:
        await choose_in_menu(window, "unloadModelMenuAction")
        await window.idle()
        reply = await window.ask("Anybody there?")
        assert reply.state is MessageState.FAILED
        assert "Choose a model first" in window.message_view(-1).notice
        assert not window.desktop.metrics.figures.is_generating
        window.desktop.model_button.load_requested.emit(str(home.folder / "scripted.json"))
        await window.idle()
        window.click("retryButton")
        await window.idle()
        assert window.texts == ["Anybody there?", "Hello there!"]


async def test_a_model_that_does_not_load_says_why_and_what_next(home: Home) -> None:
    home.use_script(QUICK)
    (home.folder / "scripted.json").write_text("no script", encoding="utf-8")
    async with home.open() as window:
        assert isinstance(window.status, LoadFailed)
        assert button_text(window) == "scripted.json did not load"
        assert "scripted.json is not a script." in window.notice
        assert "Check its JSON." in window.notice
        home.use_script(QUICK)
        window.desktop.model_button.load_requested.emit(str(home.folder / "scripted.json"))
        await window.idle()
        assert isinstance(window.status, Serving)
        assert not window.notice


async def test_a_message_waits_for_the_model_and_can_be_stopped_while_it_waits(home: Home) -> None:
    home.use_script(SLOW_TO_LOAD)
    async with home.open(waits=False) as window:
        await until(lambda: isinstance(window.status, Loading), "loading")
        assert button_text(window).startswith("Loading ")
        window.write("Hello")
        window.press(Qt.Key.Key_Return)
        await until(lambda: len(window.path) == 2, "the message in the chat")
        await until(lambda: "Loading" in window.message_view(-1).status, "what is waited for")
        window.press(Qt.Key.Key_Escape)
        await until(lambda: not window.states.chat.busy, "end of waiting")
        assert window.path[-1].state is MessageState.STOPPED


async def test_another_model_can_be_chosen_while_one_is_loading(home: Home) -> None:
    home.use_script(SLOW_TO_LOAD)
    async with home.open(waits=False) as window:
        await until(lambda: isinstance(window.status, Loading), "loading")
        path = home.use_script(QUICK, "quick")
        window.desktop.model_button.load_requested.emit(str(path))
        await until(lambda: isinstance(window.status, Serving), "the other model")
        assert button_text(window).startswith("quick")
        assert len(window.workers()) == 1


async def test_loading_can_be_stopped(home: Home) -> None:
    home.use_script(SLOW_TO_LOAD)
    async with home.open(waits=False) as window:
        await until(lambda: len(window.workers()) == 1, "loading")
        menu = await model_menu(window, is_idle=False)
        (action,) = menu.findChildren(QAction, "unloadModelMenuAction")
        assert action.text() == "Stop loading"
        action.trigger()
        menu.close()
        await until(lambda: isinstance(window.status, NoModel), "no model")
        assert window.workers() == []


async def test_a_killed_worker_is_explained_and_retry_answers_in_full(home: Home) -> None:
    async with home.open_scripted(SLOW) as window:
        window.write("Count")
        window.press(Qt.Key.Key_Return)
        await window.streaming()
        home.use_script(QUICK)
        kill_worker(window)
        await window.idle()
        reply = window.path[-1]
        assert reply.state is MessageState.FAILED
        assert reply.text.startswith("word0 ")
        assert "The worker was killed" in window.message_view(-1).notice
        window.click("retryButton")
        await window.idle()
        assert window.texts == ["Count", "Hello there!"]
        assert window.path[-1].state is MessageState.COMPLETE


async def test_what_a_killed_worker_left_can_be_continued(home: Home) -> None:
    async with home.open_scripted(SLOW) as window:
        window.write("Count")
        window.press(Qt.Key.Key_Return)
        await window.streaming()
        kill_worker(window)
        await window.idle()
        beginning = window.path[-1].text
        await window.beside(-1, "continueButton")
        await window.streaming(len(beginning) + 20)
        window.press(Qt.Key.Key_Escape)
        await window.idle()
        assert window.path[-1].text.startswith(beginning)
        assert window.path[-1].state is MessageState.STOPPED
        assert not window.message_view(-1).notice


async def test_a_worker_killed_while_idle_is_replaced_with_the_next_message(home: Home) -> None:
    async with home.open_scripted(QUICK) as window:
        await window.ask("One")
        kill_worker(window)
        await until(lambda: not window.workers(), "end of the worker")
        await window.ask("Two")
        assert window.texts == ["One", "Hello there!", "Two", "Hello there!"]


async def test_loading_another_model_during_a_reply_keeps_what_there_is_of_it(home: Home) -> None:
    async with home.open_scripted(SLOW) as window:
        window.write("Count")
        window.press(Qt.Key.Key_Return)
        await window.streaming()
        path = home.use_script(QUICK, "quick")
        window.desktop.model_button.load_requested.emit(str(path))
        await window.idle()
        assert window.path[-1].text.startswith("word0 ")
        assert window.path[-1].state is MessageState.STOPPED
        assert button_text(window).startswith("quick")
