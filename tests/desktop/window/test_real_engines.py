"""The window with the demo model on both real engines, from the first start on."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton

from runtime.values.chat import MessageState
from runtime.values.model import EngineName
from runtime.values.wording import milliseconds_text, speed_text
from tests.desktop.window.opened_window import Home, OpenedWindow, until
from tests.models.random_gguf import ENDLESS
from tests.runtime.client.real_models import write_model

HERE = pytest.mark.skipif(find_spec("mlx_lm") is None, reason="no MLX here")
DEMO = [
    pytest.param(EngineName.LLAMACPP, "llama.cpp", "Q8_0", id="llama.cpp"),
    pytest.param(EngineName.MLX, "MLX", "INT8", id="MLX", marks=HERE),
]


@pytest.mark.parametrize(("engine", "shown", "quantization"), DEMO)
async def test_the_demo_model_answers_from_the_first_start_on(
    home: Home, engine: EngineName, shown: str, quantization: str
) -> None:
    home.use(engine, "demo")
    async with home.open() as window:
        assert window.find(QAbstractButton, "modelButton").text().startswith(f"Demo model · {quantization} · ")
        window.click("starterButton1")
        await until(lambda: len(window.texts) == 2 and len(window.texts[1]) >= 20, "some of the answer")
        if engine is EngineName.MLX:
            window.press(Qt.Key.Key_Escape)  # On a CPU it writes ten times slower than llama.cpp.
        await window.idle("answer of the demo model")
        question, reply = window.path
        assert reply.state in (MessageState.COMPLETE, MessageState.STOPPED)
        assert len(reply.text) >= 20
        assert window.texts[0] == question.text
        stats = reply.stats
        assert stats is not None
        await until(lambda: window.text_of("generatedTokensValue") == f"{stats.generated_tokens:,}", "final figures")
        assert window.text_of("ttftValue") == milliseconds_text(stats.ttft_ms)
        assert window.text_of("averageSpeedValue") == speed_text(stats.decode_tokens_per_second)
        assert window.text_of("engineValue") == shown
        assert window.text_of("quantizationValue").startswith(f"{quantization} · 8.")
        assert window.text_of("contextValue").startswith(f"{stats.context_used_tokens:,} of ")
        assert window.text_of("weightsValue").endswith(" MB")
        await refuses_five_megabytes(window)


async def test_a_first_start_needs_nothing_but_a_question(home: Home) -> None:
    assert not home.folder.exists()
    async with home.open() as window:
        window.click("starterButton2")
        await window.idle("answer")
        assert window.path[-1].state is MessageState.COMPLETE
        assert window.path[-1].model is not None
        assert "demo" in window.path[-1].model


async def refuses_five_megabytes(window: OpenedWindow) -> None:
    """Paste them, and see that the message is refused before anything of it is stored."""
    QGuiApplication.clipboard().setText("word " * 1_000_000)
    QTest.keySequence(window.composer, "Ctrl+V")
    window.press(Qt.Key.Key_Return)
    await until(lambda: window.text_of("composerNotice"), "why it is not sent")
    assert "tokens; this context holds" in window.text_of("composerNotice")
    assert len(window.path) == 2
    await window.idle()


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param(EngineName.LLAMACPP, id="llama.cpp"),
        pytest.param(EngineName.MLX, id="MLX", marks=(HERE, pytest.mark.slow)),
    ],
)
async def test_a_reply_is_stopped_and_continued(home: Home, tmp_path: Path, engine: EngineName) -> None:
    home.use(engine, str(write_model(tmp_path, engine, ENDLESS)))
    async with home.open() as window:
        window.write("Go on until the context is full")
        window.press(Qt.Key.Key_Return)
        await window.streaming(5)
        window.press(Qt.Key.Key_Escape)
        await window.idle()
        beginning = window.path[-1]
        assert beginning.state is MessageState.STOPPED
        await window.beside(-1, "continueButton")
        await window.streaming(len(window.texts[-1]) + 5)
        window.press(Qt.Key.Key_Escape)
        await window.idle()
        assert window.path[-1].id == beginning.id
        assert window.path[-1].text.startswith(beginning.text)
        assert len(window.path[-1].text) > len(beginning.text)
