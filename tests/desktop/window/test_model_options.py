"""Context and KV cache of the model in use: what each takes, chosen in the window, remembered for the model."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QPushButton, QRadioButton

from desktop.state.engine_state import LoadFailed, Serving
from desktop.widgets.slider import Slider
from runtime.config.settings import ModelSettings, Settings, read_settings, write_settings
from runtime.values.chat import MessageState
from runtime.values.context_end import ContextEnd
from runtime.values.model import EngineName
from tests.desktop.window.opened_window import Home, OpenedWindow, until
from tests.models.random_gguf import ENDLESS
from tests.runtime.cli.command import first_token
from tests.runtime.client.plain_demo import DEMO_MODEL
from tests.runtime.client.real_models import write_model

DEMO = DEMO_MODEL / "demo-q8_0.gguf"


async def open_options(window: OpenedWindow) -> None:
    """Open the dialog by its menu entry and wait until it is filled."""
    window.choose("modelOptionsAction")
    await window.idle("filled dialog")


async def apply(window: OpenedWindow) -> None:
    """Click Apply and wait until the model answers again."""
    window.click("applyModelOptionsButton")
    await window.idle("another load")
    await until(lambda: isinstance(window.status, Serving), "a model that answers")


def remembered(home: Home) -> ModelSettings | None:
    """Return what the settings file has of the demo model."""
    return read_settings(home.paths.config_file).model_settings.get(str(DEMO))


async def test_a_context_is_chosen_with_what_it_takes_and_kept_for_the_model(home: Home) -> None:
    home.use(EngineName.LLAMACPP, "demo")
    async with home.open() as window:
        await open_options(window)
        slider = window.find(Slider, "contextSlider")
        assert slider.toolTip() == "Automatic: 2,048 tokens"
        assert window.text_of("modelOptionsVerdict") == "fits"
        full = window.text_of("optionsKvCacheValue")
        assert not window.find(QPushButton, "applyModelOptionsButton").isEnabled()
        QTest.keyClick(slider, Qt.Key.Key_Right)
        assert slider.toolTip() == "512 tokens"
        assert window.text_of("optionsKvCacheValue") != full
        await apply(window)
        assert window.states.engine.model is not None
        assert window.states.engine.model.context_limit_tokens == 512
        assert remembered(home) == ModelSettings(context_tokens=512)
    async with home.open() as again:
        assert again.states.engine.model is not None
        assert again.states.engine.model.context_limit_tokens == 512
        await open_options(again)
        slider = again.find(Slider, "contextSlider")
        assert slider.toolTip() == "512 tokens"
        QTest.keyClick(slider, Qt.Key.Key_Home)
        assert slider.toolTip() == "Automatic: 2,048 tokens"
        await apply(again)
        assert again.states.engine.model.context_limit_tokens == 2048
        assert remembered(home) is None


async def test_a_quantized_cache_says_what_it_takes_and_costs_only_what_was_measured(home: Home) -> None:
    home.use(EngineName.LLAMACPP, "demo")
    async with home.open() as window:
        await open_options(window)
        assert "not measured yet" in window.text_of("kvWidth8About")
        assert window.text_of("kvWidthNoneAbout").endswith("for 2,048 tokens")
        whole = window.text_of("optionsKvCacheValue")
        window.find(QRadioButton, "kvWidth8Button").click()
        assert window.text_of("optionsKvCacheValue") != whole
        await apply(window)
        assert remembered(home) == ModelSettings(kv_cache_bits=8)
        reply = await window.ask("What is prefill?")
        assert reply.text
    run = ("bench", "--model", "demo", "--engine", "llamacpp", "--kv-cache-bits", "none,8", "--repetitions", "2")
    measured = first_token(*run, "--test", "tg16", "--quality", "--quality-tokens", "64")
    assert measured.returncode == 0, measured.stderr
    async with home.open() as again:
        await open_options(again)
        assert "Measured 20" in again.text_of("kvWidth8About")
        assert "KL 0.0" in again.text_of("kvWidth8About")
        assert "not measured yet" in again.text_of("kvWidth4About")
        again.click("measureKvWidthsButton")
        await again.idle("benchmark")
        assert again.find(QCheckBox, "benchmarkKvWidthsBox").isChecked()
        assert again.find(QCheckBox, "benchmarkQualityBox").isChecked()
        assert again.find(QLineEdit, "benchmarkTestsField").text() == "pp512, tg64@d1024"


async def test_a_reply_under_way_is_ended_only_after_a_question(home: Home) -> None:
    home.folder.mkdir(parents=True)
    home.use(EngineName.LLAMACPP, str(write_model(home.folder, EngineName.LLAMACPP, ENDLESS)))
    async with home.open() as window:
        window.write("Go on.")
        window.press(Qt.Key.Key_Return)
        await window.streaming()
        window.choose("modelOptionsAction")
        slider = window.find(Slider, "contextSlider")
        await until(lambda: slider.maximum() > 0, "filled dialog")
        QTest.keyClick(slider, Qt.Key.Key_Right)
        window.click("applyModelOptionsButton")
        assert window.states.chat.busy
        window.click("reloadModelYesButton")
        await window.idle("another load")
        await until(lambda: isinstance(window.status, Serving), "a model that answers")
        reply = window.path[-1]
        assert reply.state is MessageState.STOPPED
        assert reply.text


async def test_the_end_of_the_context_is_chosen_in_the_settings(home: Home) -> None:
    async with home.open_scripted() as window:
        window.choose("settingsAction")
        await window.idle("filled settings")
        box = window.find(QComboBox, "contextEndBox")
        assert ContextEnd(box.currentData()) is ContextEnd.STOP
        QTest.keyClick(box, Qt.Key.Key_Down)
        await window.idle("changed settings")
        assert read_settings(home.paths.config_file).at_context_end is ContextEnd.DROP_OLDEST
        assert window.states.context.drops_oldest


async def test_a_context_that_the_model_does_not_have_is_put_right_in_the_dialog(home: Home) -> None:
    home.folder.mkdir(parents=True)
    impossible = {str(DEMO): ModelSettings(context_tokens=5000)}
    write_settings(home.paths.config_file, Settings(engine=EngineName.LLAMACPP, model_settings=impossible))
    async with home.open() as window:
        assert isinstance(window.status, LoadFailed)
        assert "cannot have a context of 5,000 tokens" in window.notice
        await open_options(window)
        slider = window.find(Slider, "contextSlider")
        assert slider.toolTip() == "5,000 tokens"
        QTest.keyClick(slider, Qt.Key.Key_Home)
        await apply(window)
        assert window.states.engine.model is not None
        assert window.states.engine.model.context_limit_tokens == 2048
