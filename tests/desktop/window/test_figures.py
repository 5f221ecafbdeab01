"""The panel of figures after a reply whose timings are known, and while it is written."""

from __future__ import annotations

import re

from PySide6.QtCore import Qt

from desktop.widgets.waterfall import Waterfall
from runtime.engine.scripted_engine import Script
from runtime.values.wording import milliseconds_text, speed_text
from tests.desktop.window.opened_window import SLOW, Home, OpenedWindow, until
from tests.desktop.window.sidebar import Sidebar

WORDS = 41
TIMED = Script(
    replies=(tuple(f"w{number} " for number in range(WORDS)),),
    tokenize_s=0.05,
    prefill_tokens_per_second=100.0,
    decode_tokens_per_second=200.0,
    weights_bytes=123_000_000,
    kv_bytes_per_token=1_000_000,
    context_tokens=500,
    bits_per_weight=4.5,
)
UNIT = {"ms": 1.0, "s": 1000.0}


def number_in(text: str) -> float:
    found = re.match(r"[\d.,]+", text)
    assert found is not None, text
    return float(found[0].replace(",", ""))


def milliseconds(text: str) -> float:
    return number_in(text) * UNIT[text.rsplit(maxsplit=1)[-1]]


async def ask_timed(window: OpenedWindow) -> None:
    await window.ask("one two three four five six seven eight nine")  # 10 tokens: the role is one
    await until(lambda: window.text_of("generatedTokensValue") == str(WORDS), "the final figures")


async def test_the_figures_are_those_of_the_reply(home: Home) -> None:
    async with home.open_scripted(TIMED) as window:
        await ask_timed(window)
        stats = window.path[-1].stats
        assert stats is not None
        # What the script takes at least: tokenizing, ten tokens at 100 a second, the first of 200 a second.
        assert milliseconds(window.text_of("ttftValue")) >= 50 + 100 + 5 - 0.5
        assert number_in(window.text_of("prefillValue")) <= 100
        assert window.text_of("ttftValue") == milliseconds_text(stats.ttft_ms)
        assert window.text_of("prefillValue") == speed_text(stats.prefill_tokens_per_second)
        times_ms = await window.token_times_ms()
        decode = (WORDS - 1) / (times_ms[-1] - times_ms[0]) * 1000
        assert window.text_of("tokensPerSecondValue") == window.text_of("averageSpeedValue") == speed_text(decode)
        assert window.text_of("promptValue") == "10 tokens"
        assert window.text_of("quantizationValue") == "INT4 · 4.50 bits"
        assert window.text_of("contextValue") == f"{10 + WORDS} of 500 · {10 + WORDS} MB"
        assert window.text_of("weightsValue") == "123 MB"
        assert window.text_of("engineValue") == "Script"


async def test_each_part_of_the_wait_explains_itself(home: Home) -> None:
    async with home.open_scripted(TIMED) as window:
        await ask_timed(window)
        waterfall = window.find(Waterfall, "ttftWaterfall")
        labels = [part.rpartition(" ")[0].rpartition(" ")[0] for part in waterfall.accessibleDescription().split(", ")]
        assert {"Tokenize", "Prefill", "First decode", "Paint"} <= set(labels)
        row_px = waterfall.sizeHint().height() // len(labels)
        explanations = [waterfall.explanation_at(number * row_px + row_px // 2) for number in range(len(labels))]
        assert len(set(explanations)) == len(labels)
        assert all(len(text) > len(label) for text, label in zip(explanations, labels, strict=True))
        assert explanations[labels.index("Paint")] == "From the first token to its first character on the screen."
        assert waterfall.explanation_at(waterfall.sizeHint().height() + row_px) == ""


async def test_the_memory_shown_is_that_of_the_worker(home: Home) -> None:
    async with home.open_scripted(TIMED) as window:
        await ask_timed(window)
        (worker,) = window.workers()
        resident_mb = worker.memory_info().rss / 1e6
        assert abs(number_in(window.text_of("memoryValue")) - resident_mb) < 0.2 * resident_mb + 1
        assert window.text_of("memoryValue").endswith(" MB")
        assert number_in(window.text_of("kvCacheValue")) >= 10


async def test_the_figures_under_the_message_are_those_of_the_panel(home: Home) -> None:
    async with home.open_scripted(TIMED) as window:
        await ask_timed(window)
        view = window.message_view(-1)
        assert view.figures == " · ".join(
            [window.text_of("ttftValue"), window.text_of("averageSpeedValue"), f"{WORDS} tokens", "10 read"]
        )
        assert "INT4" in view.figures_details
        assert "the model was done" in view.figures_details


async def test_the_figures_of_a_chat_are_back_when_it_is_opened_again(home: Home) -> None:
    async with home.open_scripted(TIMED) as window:
        await ask_timed(window)
        shown = window.text_of("ttftValue")
        window.click("newChatButton")
        await until(lambda: window.text_of("ttftValue") == "–", "no figures in a new chat")
        assert window.text_of("contextValue") == "0 of 500"
    async with home.open() as window:
        window.widget.resize(1280, 820)
        await Sidebar(window).click(Sidebar(window).titles[0])
        await until(lambda: window.text_of("ttftValue") == shown, "the figures of before")
        assert window.text_of("contextValue") == f"{10 + WORDS} of 500 · {10 + WORDS} MB"


async def test_speed_and_tokens_move_while_the_reply_is_written(home: Home) -> None:
    async with home.open_scripted(SLOW) as window:
        assert window.text_of("tokensPerSecondValue") == "–"
        window.write("Count")
        window.press(Qt.Key.Key_Return)
        seen: set[str] = set()

        def counts() -> bool:
            seen.add(window.text_of("generatedTokensValue"))
            return len(seen) > 4

        await until(counts, "changing figures")
        assert number_in(window.text_of("tokensPerSecondValue")) > 0
        window.click("stopButton")
        await window.idle()


async def test_reading_a_long_prompt_shows_how_far_it_is(home: Home) -> None:
    script = Script(prefill_tokens_per_second=40.0, prefill_chunk_tokens=4)
    async with home.open_scripted(script) as window:
        window.composer.insertPlainText("word " * 400)
        window.press(Qt.Key.Key_Return)
        await until(lambda: window.find_control("prefillProgress").isVisible(), "progress in the panel")
        await until(lambda: "Reading the prompt" in window.message_view(-1).status, "progress in the chat")
        window.press(Qt.Key.Key_Escape)
        await window.idle()
        await until(lambda: not window.find_control("prefillProgress").isVisible(), "end of the progress")
