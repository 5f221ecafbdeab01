"""The window and the command line share one settings file; neither loses what the other wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from desktop.state.settings_state import SettingsState
from runtime.config.settings import Settings, read_settings, write_settings

pytestmark = pytest.mark.usefixtures("qapp")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "settings.json"


def put(file: Path, content: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(content, encoding="utf-8")


def content_of(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.exists() else None


async def test_a_change_is_in_the_file_and_told(file: Path, qtbot: QtBot) -> None:
    state = SettingsState(file)
    with qtbot.waitSignal(state.changed):
        await state.change(lambda settings: msgspec.structs.replace(settings, threads=3))
    assert read_settings(file).threads == state.settings.threads == 3


async def test_what_others_wrote_meanwhile_stays(file: Path) -> None:
    state = SettingsState(file)
    await state.load()
    write_settings(file, Settings(models_folders=("/models",)))
    await state.change(lambda settings: msgspec.structs.replace(settings, threads=2))
    assert read_settings(file) == Settings(models_folders=("/models",), threads=2)


async def test_changes_at_the_same_time_are_all_kept(file: Path) -> None:
    state = SettingsState(file)

    def with_folder(folder: str) -> Callable[[Settings], Settings]:
        return lambda settings: msgspec.structs.replace(settings, models_folders=(*settings.models_folders, folder))

    await asyncio.gather(*(state.change(with_folder(str(number))) for number in range(8)))
    assert sorted(read_settings(file).models_folders) == [str(number) for number in range(8)]


@pytest.mark.parametrize("content", ["{", '{"threads": "many"}', '{"schema_version": 99, "threads": 1}'])
async def test_a_file_that_is_not_understood_is_reported_and_left_alone(file: Path, content: str) -> None:
    put(file, content)
    state = SettingsState(file)
    await state.change(lambda settings: msgspec.structs.replace(settings, threads=2))
    assert state.error is not None
    assert str(file) in state.error.what
    assert content_of(file) == content
    assert state.settings == Settings()


async def test_the_error_goes_once_the_file_is_corrected(file: Path) -> None:
    put(file, "{")
    state = SettingsState(file)
    await state.load()
    put(file, '{"threads": 5}')
    await state.load()
    assert state.error is None
    assert state.settings.threads == 5


async def test_what_is_shown_never_goes_back(file: Path) -> None:
    state = SettingsState(file)
    shown: list[int | None] = []
    state.changed.connect(lambda: shown.append(state.settings.threads))

    def to(threads: int) -> Callable[[Settings], Settings]:
        return lambda settings: msgspec.structs.replace(settings, threads=threads)

    await asyncio.gather(*(state.change(to(threads)) for threads in range(1, 6)))
    assert shown == sorted(shown, key=lambda threads: threads or 0)
    assert shown[-1] == read_settings(file).threads == 5


async def test_a_change_that_could_not_be_written_is_taken_back(file: Path) -> None:
    state = SettingsState(file)
    await state.change(lambda settings: msgspec.structs.replace(settings, threads=2))
    put(file, "{")
    await state.change(lambda settings: msgspec.structs.replace(settings, threads=9))
    assert state.settings.threads == 2
    assert state.error is not None


async def test_reading_makes_no_file(file: Path) -> None:
    state = SettingsState(file)
    await state.load()
    await state.change(lambda settings: settings)
    assert content_of(file) is None
