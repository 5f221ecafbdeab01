"""A chat's settings, edited in the window over a real store."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QMimeData, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from desktop.settings.chat_settings import ChatSettingsDialog
from desktop.settings.number_field import NumberField
from desktop.settings.prompt_field import MAX_PASTE_CHARACTERS, PromptField
from desktop.theme.colors import DARK
from runtime.store.opening import OpenedStore
from runtime.values.chat import Chat, Preset
from runtime.values.sampling import MAX_SEED, RANGES, SamplingParams
from tests.desktop.controls import controls_of, find
from tests.desktop.looks import make_theme
from tests.desktop.open_window_state import OpenState, open_state, until

POET = Preset(name="Poet", system_prompt="Answer in rhyme.", sampling=SamplingParams(temperature=1.1, seed=3))
CLERK = Preset(name="Clerk", system_prompt="Answer in one line.", sampling=SamplingParams(temperature=0.0, top_k=40))


class Opened:
    """The dialog and what is behind it."""

    def __init__(self, state: OpenState) -> None:
        self.state = state
        self.dialog = ChatSettingsDialog(make_theme(), state.chat_settings, state.tasks)

    @property
    def prompt(self) -> PromptField:
        """The field of the system prompt."""
        return find(self.dialog, PromptField, "systemPromptField")

    def number(self, name: str) -> NumberField:
        """Return the field of a sampler setting."""
        return find(self.dialog, NumberField, f"{name}Field")

    def press(self, name: str) -> None:
        """Press a button."""
        find(self.dialog, QPushButton, f"{name}Button").click()

    def problem(self) -> str:
        """Return what is said to be wrong."""
        label = find(self.dialog, QLabel, "chatSettingsProblem")
        return label.text() if label.isVisible() else ""

    async def save(self) -> Chat:
        """Press Save and return the chat as it is stored."""
        self.press("saveChatSettings")
        await until(self.dialog.isHidden)
        return await self.state.storage.run(newest)


def newest(opened: OpenedStore) -> Chat:
    return opened.store.chats.get(opened.store.chats.summaries()[0].id)


@pytest.fixture
async def opened(tmp_path: Path, qtbot: QtBot) -> AsyncIterator[Opened]:
    async with open_state(tmp_path / "data") as state:
        for preset in (POET, CLERK):
            await state.chat_settings.save_preset(preset)
        window = Opened(state)
        qtbot.addWidget(window.dialog)
        window.dialog.present()
        yield window
        assert state.failures == []


async def test_every_control_has_a_name_and_says_what_it_is(opened: Opened) -> None:
    controls = controls_of(opened.dialog)
    assert len(controls) >= 16
    assert [repr(control) for control in controls if not control.objectName()] == []
    assert [control.objectName() for control in controls if not control.accessibleName()] == []
    assert [control.objectName() for control in controls if not control.toolTip()] == []


async def test_every_sampler_setting_has_a_field_with_its_range(opened: Opened) -> None:
    fields = {field.objectName(): field for field in opened.dialog.findChildren(NumberField)}
    ranges = sorted((field.minimum(), field.maximum()) for field in fields.values())
    assert ranges == sorted((allowed.low, allowed.high) for allowed in RANGES.values())
    assert {"temperatureField", "topPField", "penaltyWindowTokensField"} <= set(fields)


async def test_what_is_saved_is_in_the_chat(opened: Opened) -> None:
    opened.prompt.setPlainText("Be brief.")
    opened.number("temperature").setValue(0.25)
    opened.number("topK").setValue(40)
    find(opened.dialog, QLineEdit, "seedField").setText(str(MAX_SEED))
    stored = await opened.save()
    assert stored.system_prompt == "Be brief."
    assert stored.sampling == SamplingParams(temperature=0.25, top_k=40, seed=MAX_SEED)
    assert opened.state.chat.chat == stored


async def test_saving_nothing_new_stores_no_chat(opened: Opened) -> None:
    opened.press("saveChatSettings")
    await until(opened.dialog.isHidden)
    assert await opened.state.storage.run(lambda store: store.store.chats.summaries()) == ()


async def test_what_is_not_touched_stays_exactly_as_it_was(opened: Opened) -> None:
    odd = SamplingParams(temperature=1 / 3, top_p=0.123456789, min_p=1e-9)
    await opened.state.chat_settings.apply("", odd)
    opened.dialog.present()
    opened.number("topK").setValue(5)
    assert (await opened.save()).sampling == msgspec.structs.replace(odd, top_k=5)


async def test_the_dialog_shows_the_chat_that_is_open(opened: Opened) -> None:
    await opened.state.chat_settings.apply(POET.system_prompt, POET.sampling)
    opened.dialog.present()
    assert opened.prompt.toPlainText() == POET.system_prompt
    assert opened.number("temperature").text() == opened.number("temperature").textFromValue(1.1)
    assert find(opened.dialog, QLineEdit, "seedField").text() == "3"
    assert find(opened.dialog, QComboBox, "presetBox").currentText() == "Poet"


async def test_a_seed_beyond_the_range_is_refused_in_place(opened: Opened) -> None:
    find(opened.dialog, QLineEdit, "seedField").setText(str(MAX_SEED + 1))
    opened.prompt.setPlainText("kept")
    opened.press("saveChatSettings")
    await until(opened.problem)
    assert "seed" in opened.problem()
    assert opened.dialog.isVisible()
    assert opened.prompt.toPlainText() == "kept"
    assert await opened.state.storage.run(lambda store: store.store.chats.summaries()) == ()


async def test_a_seed_takes_digits_alone(opened: Opened) -> None:
    field = find(opened.dialog, QLineEdit, "seedField")
    QTest.keyClicks(field, "-1a2.5 ")
    assert field.text() == "125"


async def test_reset_brings_the_sampler_back_and_leaves_the_prompt(opened: Opened) -> None:
    opened.prompt.setPlainText("stays")
    opened.number("temperature").setValue(2)
    find(opened.dialog, QLineEdit, "seedField").setText("9")
    opened.press("resetSampling")
    stored = await opened.save()
    assert (stored.system_prompt, stored.sampling) == ("stays", SamplingParams())


async def test_a_preset_fills_the_fields(opened: Opened) -> None:
    box = find(opened.dialog, QComboBox, "presetBox")
    assert [box.itemText(index) for index in range(box.count())] == ["Clerk", "Poet"]
    box.setCurrentIndex(1)
    box.activated.emit(1)
    stored = await opened.save()
    assert (stored.system_prompt, stored.sampling) == (POET.system_prompt, POET.sampling)


async def test_a_changed_preset_is_not_called_by_its_name(opened: Opened) -> None:
    box = find(opened.dialog, QComboBox, "presetBox")
    box.activated.emit(1)
    assert box.currentText() == "Poet"
    opened.number("minP").setValue(0.05)
    assert box.currentIndex() == -1
    assert not find(opened.dialog, QPushButton, "deletePresetButton").isEnabled()


async def test_a_preset_is_saved_under_a_name(opened: Opened) -> None:
    opened.prompt.setPlainText("Be kind.")
    opened.press("savePreset")
    enter_name(opened, "  Kind   one ")
    await until(lambda: len(opened.state.chat_settings.presets) == 3)
    assert opened.state.chat_settings.presets[1].name == "Kind one"
    assert find(opened.dialog, QComboBox, "presetBox").currentText() == "Kind one"


async def test_a_preset_without_a_name_is_refused_in_place(opened: Opened) -> None:
    opened.press("savePreset")
    enter_name(opened, "   ")
    await until(opened.problem)
    assert len(opened.state.chat_settings.presets) == 2


async def test_a_preset_of_the_same_name_is_replaced_only_when_asked(opened: Opened) -> None:
    opened.prompt.setPlainText("Another clerk.")
    opened.press("savePreset")
    enter_name(opened, "Clerk")
    answer(opened, "replacePreset", "Cancel")
    opened.press("savePreset")
    enter_name(opened, "Clerk")
    assert opened.state.chat_settings.presets[0] == CLERK
    answer(opened, "replacePreset", "Yes")
    await until(lambda: opened.state.chat_settings.presets[0].system_prompt == "Another clerk.")


async def test_a_preset_is_deleted_only_when_asked(opened: Opened) -> None:
    find(opened.dialog, QComboBox, "presetBox").activated.emit(0)
    opened.press("deletePreset")
    answer(opened, "deletePreset", "Cancel")
    opened.press("deletePreset")
    answer(opened, "deletePreset", "Yes")
    await until(lambda: [preset.name for preset in opened.state.chat_settings.presets] == ["Poet"])


def enter_name(opened: Opened, name: str) -> None:
    """Answer the question for a name, and wait until its dialog is gone."""
    dialog = find(opened.dialog, QInputDialog, "presetNameDialog")
    dialog.setTextValue(name)
    dialog.accept()
    dialog.setObjectName("")


def answer(opened: Opened, question: str, button: str) -> None:
    box = find(opened.dialog, QMessageBox, question)
    find(box, QPushButton, f"{question}{button}Button").click()
    box.setObjectName("")  # Deleted in a moment; a second one may be asked before that.


async def test_cancel_changes_nothing(opened: Opened) -> None:
    opened.number("temperature").setValue(2)
    opened.press("cancelChatSettings")
    assert opened.dialog.isHidden()
    assert opened.state.chat.chat is None


async def test_a_prompt_is_not_lost_by_mistake(opened: Opened) -> None:
    opened.prompt.setPlainText("Written with care.")
    QTest.keyClick(opened.dialog, Qt.Key.Key_Escape)
    answer(opened, "discardPrompt", "Cancel")
    assert opened.dialog.isVisible()
    QTest.keyClick(opened.dialog, Qt.Key.Key_Escape)
    answer(opened, "discardPrompt", "Yes")
    assert opened.dialog.isHidden()


async def test_a_huge_paste_is_refused_and_said_so(opened: Opened) -> None:
    opened.prompt.setPlainText("before ")
    paste = QMimeData()
    paste.setText("x" * (MAX_PASTE_CHARACTERS + 1))
    opened.prompt.insertFromMimeData(paste)
    assert "100,001" in opened.problem()
    assert opened.prompt.toPlainText() == "before "


async def test_markup_is_pasted_as_it_stands(opened: Opened) -> None:
    paste = QMimeData()
    paste.setHtml("<b>bold</b>")
    paste.setText("<b>bold</b>")
    opened.prompt.insertFromMimeData(paste)
    assert opened.prompt.toPlainText() == "<b>bold</b>"


async def test_another_chat_closes_the_dialog(opened: Opened) -> None:
    await opened.state.chat_settings.apply("first", SamplingParams())
    opened.dialog.present()
    opened.prompt.setPlainText("half written")
    opened.state.chat.start_new()
    assert opened.dialog.isHidden()


async def test_tab_walks_through_every_field(opened: Opened) -> None:
    opened.dialog.activateWindow()
    reached: list[QWidget] = []
    for _ in itertools.repeat(None, 60):
        focused = QApplication.focusWidget()
        assert focused is not None
        reached.append(focused)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    wanted = {control.objectName() for control in controls_of(opened.dialog) if control.isEnabled()}
    assert wanted - {widget.objectName() for widget in reached} == set()


async def test_no_button_is_cut_off_in_large_text(opened: Opened) -> None:
    opened.dialog.apply_theme(make_theme(DARK, text_scale=2.0))
    opened.dialog.resize(opened.dialog.minimumSizeHint())
    QApplication.processEvents()
    buttons = [button for button in opened.dialog.findChildren(QPushButton) if button.isVisible()]
    assert [b.objectName() for b in buttons if b.width() < b.minimumSizeHint().width()] == []


@pytest.mark.parametrize(
    ("value", "shown"), [(0.7, "0.7"), (1.0, "1"), (0.0, "0"), (0.05, "0.05"), (0.000001, "0.000001")]
)
def test_numbers_are_shown_without_zeros_at_their_end(qtbot: QtBot, value: float, shown: str) -> None:
    field = NumberField("field", 0, 5, 0.05)
    qtbot.addWidget(field)
    field.setValue(value)
    assert field.text() == shown.replace(".", field.locale().decimalPoint())
    assert field.value() == value


def test_whole_numbers_keep_their_zeros(qtbot: QtBot) -> None:
    field = NumberField("field", 0, 1_000_000, 1)
    qtbot.addWidget(field)
    field.setValue(1_000_000)
    assert field.text() == "1000000"
