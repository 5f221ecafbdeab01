"""Scoring models on the user's own chats from the panel: offered where there are any, and nothing of them gets out."""

from __future__ import annotations

from contextlib import closing

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QLineEdit

from runtime.bench.own_chats import OWN_CHATS
from runtime.store.opening import open_store
from tests.desktop.bench.opened_benchmark import OpenedBenchmark, opened_benchmark
from tests.desktop.window.opened_window import Home

SAID = "How is the prompt read, and what does the cache keep? "
THOROUGH = 2


def write_chat(home: Home, text: str) -> None:
    """Put a chat with one message into the database."""
    with closing(open_store(home.database).store) as store:
        store.messages.add_user(store.chats.create().id, None, text)


def tick(bench: OpenedBenchmark, name: str) -> None:
    """Click a box that is not ticked."""
    box = bench.window.find(QCheckBox, name)
    QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.rect().center().y()))
    assert box.isChecked()


async def test_models_are_scored_on_the_users_own_chats(home: Home) -> None:
    write_chat(home, SAID * 12)
    async with opened_benchmark(home) as bench:
        bench.tick("demo:int4  ·  Q4_0 · GGUF")
        bench.name_tests("tg4", repetitions=1)
        tick(bench, "benchmarkQualityBox")
        assert "never leave it" in bench.text("benchmarkOwnChatsAbout")
        tick(bench, "benchmarkOwnChatsBox")
        await bench.run()
        (row,) = (one.row for one in bench.results)
        assert row.quality is not None
        assert row.quality.text == OWN_CHATS
        assert OWN_CHATS in bench.tool_tip(0, "Perplexity")
        command = bench.window.find(QLineEdit, "benchmarkCommandField").text()
        assert "--quality-text chats" in command
        bench.window.click("benchmarkCopyButton")
        copied = QGuiApplication.clipboard().text()
        assert f"tokens of the text {OWN_CHATS}" in copied
        assert "what does the cache keep" not in copied
        assert "what does the cache keep" not in bench.states.bench.outcome.command


async def test_where_there_are_none_or_too_few_the_choice_says_why_it_is_not_one(home: Home) -> None:
    async with opened_benchmark(home) as bench:
        box = bench.window.find(QCheckBox, "benchmarkOwnChatsBox")
        assert not box.isVisible()  # Quick scores no text.
        bench.choose_preset(THOROUGH)
        assert box.isVisible()
        assert not box.isEnabled()
        assert bench.text("benchmarkOwnChatsAbout").startswith("There are no chats to score models on.")
        write_chat(home, "Hello?")
        await bench.window.idle("written chat")
        bench.panel.present()
        await bench.window.idle("filled panel")
        assert not box.isEnabled()
        assert bench.text("benchmarkOwnChatsAbout").startswith("Your chats are too short")
        write_chat(home, SAID * 12)
        bench.panel.present()
        await bench.window.idle("filled panel")
        assert box.isEnabled()
        assert "never leave it" in bench.text("benchmarkOwnChatsAbout")
        tick(bench, "benchmarkOwnChatsBox")
        plan = bench.states.setup.plan()
        assert plan.quality is not None
        assert plan.quality.name == OWN_CHATS


async def test_chats_that_are_gone_are_no_longer_chosen(home: Home) -> None:
    write_chat(home, SAID * 12)
    async with opened_benchmark(home) as bench:
        bench.choose_preset(THOROUGH)
        tick(bench, "benchmarkOwnChatsBox")
        with closing(open_store(home.database).store) as store:
            for chat in store.chats.summaries():
                store.chats.delete(chat.id)
        bench.panel.present()
        await bench.window.idle("filled panel")
        box = bench.window.find(QCheckBox, "benchmarkOwnChatsBox")
        assert (box.isEnabled(), box.isChecked()) == (False, False)
        plan = bench.states.setup.plan()
        assert plan.quality is not None
        assert plan.quality.name == "essay"
