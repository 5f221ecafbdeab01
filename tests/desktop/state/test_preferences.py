"""Preferences survive a restart, and content from elsewhere never stops the window."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.state.preferences import PreferencesState
from desktop.state.remembered import PREFERENCES_NAME, WINDOW_NAME, Preferences, WindowMemory
from desktop.theme.colors import Appearance
from desktop.theme.fonts import MAX_SCALE, MIN_SCALE
from runtime.store.opening import FILE_NAME
from runtime.values.chat import ChatId
from runtime.values.errors import StoreError
from tests.desktop.open_window_state import OpenState, open_state

CHOSEN = Preferences(appearance=Appearance.HIGH_CONTRAST, text_scale=1.3, reduced_motion=True)
LEFT = WindowMemory(geometry=b"\x00\xff\x10", layout=b"\x01\x00panels", chat_id=ChatId(7), model_name="demo:int4")


async def test_everything_survives_a_restart(state: OpenState) -> None:
    state.preferences.choose(CHOSEN)
    state.preferences.remember(LEFT)
    await state.preferences.save()
    after = PreferencesState(state.storage, state.tasks)
    await after.load()
    assert (after.preferences, after.memory) == (CHOSEN, LEFT)


async def test_a_choice_is_kept_without_asking_to_save(state: OpenState) -> None:
    state.preferences.choose(CHOSEN)
    kept: bytes | None = None
    while kept is None:  # The test's own time limit ends it.
        kept = await state.storage.run(lambda opened: opened.store.ui_state.get(PREFERENCES_NAME))
    assert b"high-contrast" in kept


async def test_a_change_is_told_once(state: OpenState) -> None:
    told: list[Preferences] = []
    state.preferences.changed.connect(told.append)
    state.preferences.choose(CHOSEN)
    state.preferences.choose(CHOSEN)
    await state.preferences.load()
    assert told[0] == CHOSEN
    assert told.count(CHOSEN) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b'{"appearance": "sepia"}',
        b'{"text_scale": "big"}',
        b'{"text_scale": null}',
    ],
)
async def test_unreadable_content_gives_the_defaults(state: OpenState, content: bytes) -> None:
    kept = {PREFERENCES_NAME: content, WINDOW_NAME: content}
    await state.storage.run(lambda opened: opened.store.ui_state.set(kept))
    state.preferences.choose(CHOSEN)
    await state.preferences.load()
    assert state.preferences.preferences == Preferences()
    assert state.preferences.memory == WindowMemory()


@pytest.mark.parametrize(("kept", "taken"), [(b"900", MAX_SCALE), (b"0", MIN_SCALE), (b"-1e300", MIN_SCALE)])
async def test_absurd_text_sizes_are_brought_within_bounds(state: OpenState, kept: bytes, taken: float) -> None:
    content = {PREFERENCES_NAME: b'{"text_scale": ' + kept + b"}"}
    await state.storage.run(lambda opened: opened.store.ui_state.set(content))
    await state.preferences.load()
    assert state.preferences.preferences.text_scale == taken


async def test_a_database_that_cannot_be_used_is_reported(tmp_path: Path, qtbot: QtBot) -> None:  # noqa: ARG001
    (tmp_path / "data" / FILE_NAME).mkdir(parents=True)
    async with open_state(tmp_path / "data") as state:
        with pytest.raises(StoreError):
            await state.preferences.load()
        assert state.preferences.preferences == Preferences()


def test_text_grows_in_even_steps_and_stops_at_the_ends() -> None:
    sizes = [Preferences().with_larger_text(steps).text_scale for steps in (-50, -1, 0, 1, 2, 50)]
    assert sizes == [MIN_SCALE, 0.9, 1.0, 1.1, 1.2, MAX_SCALE]
