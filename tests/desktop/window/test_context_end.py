"""A chat that fills its context in the real window: what comes is said before it happens, and nothing is lost."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from desktop.chat.wait_words import wait_explanation
from runtime.config.settings import ModelSettings, Settings, read_settings, write_settings
from runtime.engine.scripted_engine import Script
from runtime.values.context_end import ContextEnd
from runtime.values.generation import StopReason
from runtime.values.model import EngineName
from tests.desktop.window.opened_window import Home, OpenedWindow, until
from tests.runtime.client.plain_demo import DEMO_MODEL

SHORT_CONTEXT = Script(
    replies=(tuple(f"said{number} " for number in range(8)),),
    context_tokens=100,
    prefill_tokens_per_second=1e6,
    decode_tokens_per_second=2000,
)
SAID = tuple(f"said{number} " for number in range(500))
FILLS_IT_AT_LAST = Script(
    replies=(SAID[:8], SAID[:8], SAID[:8], SAID),
    context_tokens=100,
    prefill_tokens_per_second=1e6,
    decode_tokens_per_second=2000,
)
QUESTION = "why"
TOPICS = ("prefill", "a token", "the KV cache", "decode", "sampling", "quantization", "the roofline", "a prompt")
LEFT_OUT = "Messages up to here are not sent to the model any more"
LEFT_OUT_NEXT = "From your next message on, messages up to here are not sent to the model"


def choose(home: Home, at_context_end: ContextEnd) -> None:
    """Have this happen in the windows that are opened from now on."""
    settings = read_settings(home.paths.config_file)
    write_settings(
        home.paths.config_file,
        Settings(
            engine=settings.engine,
            default_model=settings.default_model,
            model_settings=settings.model_settings,
            at_context_end=at_context_end,
        ),
    )


def boundaries(window: OpenedWindow) -> dict[int, str]:
    """Return what is said below messages, by their numbers in the chat."""
    return {number: view.boundary for number, view in enumerate(window.shown_views()) if view.boundary}


async def fill(window: OpenedWindow) -> None:
    """Ask until the next message does not fit."""
    for _ in range(20):
        await window.ask(QUESTION)
        if window.text_of("contextNoticeText"):
            return
    raise AssertionError("the context never filled")


async def test_stopping_is_said_before_and_the_other_choice_is_one_click_away(home: Home) -> None:
    async with home.open_scripted(SHORT_CONTEXT) as window:
        await fill(window)
        assert "The next reply may be cut short." in window.text_of("contextNoticeText")
        assert boundaries(window) == {}
        asked = len(window.path)

        window.click("contextNoticeButton")
        await window.idle("another choice")
        assert read_settings(home.paths.config_file).at_context_end is ContextEnd.DROP_OLDEST
        assert "With your next message, the " in window.text_of("contextNoticeText")
        ((last, said),) = boundaries(window).items()
        assert said == LEFT_OUT_NEXT
        assert 0 < last < asked - 1

        await window.ask(QUESTION)
        assert boundaries(window) == {last: LEFT_OUT}
        assert len(window.path) == asked + 2, "nothing is deleted"
        assert not window.text_of("contextNoticeText")


async def test_a_chat_goes_on_for_ever_without_its_oldest_messages(home: Home) -> None:
    home.use_script(SHORT_CONTEXT)
    choose(home, ContextEnd.DROP_OLDEST)
    async with home.open() as window:
        for _ in range(20):
            reply = await window.ask(QUESTION)
            assert reply.stop_reason is StopReason.END
            assert reply.stats is not None
            assert reply.stats.prompt_tokens <= 88
        shown = boundaries(window)
        assert next(iter(shown.values())) == LEFT_OUT
        (first_sent, *_) = (number + 1 for number in shown)
    async with home.open() as again:
        await until(lambda: boundaries(again) == shown, "the same mark after a restart")
        assert len(again.path) == 40
        assert again.path[first_sent].text == QUESTION


async def test_a_reply_that_fills_the_context_goes_on_without_the_oldest_messages(home: Home) -> None:
    home.use_script(FILLS_IT_AT_LAST)
    choose(home, ContextEnd.DROP_OLDEST)
    async with home.open() as window:
        for _ in range(4):
            full = await window.ask(QUESTION)
        assert full.stop_reason is StopReason.CONTEXT_FULL
        assert "Continue goes on" in window.message_view(7).notice
        await window.beside(7, "continueButton")
        await window.idle("more of the reply")
        more = window.path[7]
        assert more.text.startswith(full.text)
        assert len(more.text) > len(full.text)
        assert boundaries(window) == {5: LEFT_OUT, 7: LEFT_OUT_NEXT}
        assert len(window.path) == 8


@pytest.mark.parametrize("at_context_end", ContextEnd)
async def test_a_question_that_fills_the_context_by_itself_is_refused(home: Home, at_context_end: ContextEnd) -> None:
    home.use_script(SHORT_CONTEXT)
    choose(home, at_context_end)
    async with home.open() as window:
        await window.ask(QUESTION)
        window.write("word " * 120)
        window.press(Qt.Key.Key_Return)
        await until(lambda: window.text_of("composerNotice"), "why it is not sent")
        assert "this context holds 100" in window.text_of("composerNotice")
        assert len(window.path) == 2


async def test_the_demo_model_goes_on_past_its_context(home: Home) -> None:
    model = DEMO_MODEL / "demo-q8_0.gguf"
    home.folder.mkdir(parents=True)
    write_settings(
        home.paths.config_file,
        Settings(
            engine=EngineName.LLAMACPP,
            at_context_end=ContextEnd.DROP_OLDEST,
            model_settings={str(model): ModelSettings(context_tokens=256)},
        ),
    )
    async with home.open() as window:
        for topic in TOPICS:
            reply = await window.ask(f"What is {topic}?")
            assert reply.text
            assert reply.stats is not None
            assert reply.stats.context_limit_tokens == 256
        assert LEFT_OUT in boundaries(window).values()
        missed = [one for one in window.path[3:] if one.stats is not None and one.stats.cached_tokens < 20]
        assert 1 <= len(missed) <= 3
        told = wait_explanation(window.path, missed[0].id)
        assert told is not None
        assert "the oldest messages were left out" in told.advice


async def test_a_long_question_is_said_not_to_fit_while_it_is_written(home: Home) -> None:
    home.use_script(SHORT_CONTEXT)
    choose(home, ContextEnd.DROP_OLDEST)
    async with home.open() as window:
        for _ in range(3):
            await window.ask(QUESTION)
        assert not window.text_of("contextNoticeText")
        window.composer.insertPlainText("word " * 60)
        await until(lambda: window.text_of("contextNoticeText"), "notice while writing")
        said = window.text_of("contextNoticeText")
        assert said.startswith("Your message does not fit beside this chat, which takes ")
        assert "With your next message, the 6 oldest are not sent" in said
        assert boundaries(window) == {5: LEFT_OUT_NEXT}
        window.composer.clear()
        await until(lambda: not window.text_of("contextNoticeText"), "room again")
        assert boundaries(window) == {}
