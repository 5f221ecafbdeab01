"""Every text that people see can be translated, and a translation is used where there is one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import PySide6
import pytest
from PySide6.QtCore import QCoreApplication, QLocale, Qt, QTranslator
from PySide6.QtWidgets import QApplication

import desktop
from desktop.first_paint import translate
from tests.desktop.visible_texts import unextractable, untranslated

SOURCES = sorted(Path(desktop.__file__).parent.rglob("*.py"))
TS = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="{language}">
<context><name>Menus</name>
<message><source>New chat</source><translation>{translation}</translation></message>
</context></TS>
"""


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(Path(desktop.__file__).parent)))
def test_texts_that_people_see_go_through_the_translation(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    assert untranslated(source) == []
    if "def tr(text: str)" not in source:
        assert unextractable(source) == []


@pytest.mark.parametrize(
    "line",
    [
        'label.setText("Hello there")',
        'label.setText(f"{count} models")',
        'label.setToolTip("Yes please" if known else self.tr("No"))',
        'QLabel("Hello", parent)',
        'menu.addAction("Open file", self.open)',
        'tabs.addTab(page, "General")',
        'IconButton(theme, "x", "closeButton", "Close it")',
        'box.setText("Delete {name}?".format(name=name))',
        'self.notices.show_error("It failed. " + error.what)',
    ],
)
def test_a_text_without_translation_is_found(line: str) -> None:
    assert untranslated(line)


@pytest.mark.parametrize(
    "line",
    [
        'label.setText(self.tr("Hello there"))',
        'label.setText(self.tr("{count} models").format(count=count))',
        'label.setText(f"{name} · {size}")',
        'label.setText(bytes_text(size, "GB"))',
        'button.setObjectName("closeButton")',
        'IconButton(theme, "x", "closeButton", self.tr("Close it"))',
        'label.setText("First Token")',
        "label.setText(error.what)",
    ],
)
def test_what_is_translated_or_no_text_is_left_alone(line: str) -> None:
    assert not untranslated(line)


def test_texts_made_up_at_run_time_are_found() -> None:
    assert unextractable('self.tr(f"{name} failed")')
    assert unextractable("self.tr(text)")
    assert not unextractable('self.tr("{name} failed").format(name=name)')


@pytest.fixture
def language(qapp: QApplication) -> Iterator[None]:
    """Take away what a test installed."""
    direction = qapp.layoutDirection()
    yield
    for translator in qapp.findChildren(QTranslator):
        qapp.removeTranslator(translator)
        translator.deleteLater()
    qapp.setLayoutDirection(direction)


def make_translation(assets: Path, language: str, translation: str) -> None:
    """Write a translation as a translator would: a `.ts` file, compiled by Qt's own tool."""
    lrelease = Path(PySide6.__file__).parent / "lrelease"
    tool = lrelease if lrelease.exists() else Path(shutil.which("lrelease") or "")
    if not tool.is_file():
        pytest.skip("Qt's compiler of translations is not installed")
    folder = assets / "translations"
    folder.mkdir()
    source = folder / f"first-token_{language}.ts"
    source.write_text(TS.format(language=language, translation=translation), encoding="utf-8")
    subprocess.run([tool, source, "-qm", source.with_suffix(".qm")], check=True, capture_output=True)


@pytest.mark.usefixtures("language")
def test_the_users_language_is_used(qapp: QApplication, tmp_path: Path) -> None:
    make_translation(tmp_path, "de", "Neuer Chat")
    assert translate(qapp, tmp_path, QLocale("de_AT"))
    assert QCoreApplication.translate("Menus", "New chat") == "Neuer Chat"
    assert qapp.layoutDirection() is Qt.LayoutDirection.LeftToRight


@pytest.mark.usefixtures("language")
def test_a_language_from_right_to_left_turns_the_window_around(qapp: QApplication, tmp_path: Path) -> None:
    make_translation(tmp_path, "ar", "محادثة جديدة")
    assert translate(qapp, tmp_path, QLocale("ar_EG"))
    assert qapp.layoutDirection() is Qt.LayoutDirection.RightToLeft


@pytest.mark.usefixtures("language")
def test_without_a_translation_everything_stays_english(qapp: QApplication, tmp_path: Path) -> None:
    make_translation(tmp_path, "de", "Neuer Chat")
    assert not translate(qapp, tmp_path, QLocale("ar_EG"))
    assert QCoreApplication.translate("Menus", "New chat") == "New chat"
    assert qapp.layoutDirection() is Qt.LayoutDirection.LeftToRight
