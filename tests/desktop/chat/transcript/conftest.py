"""A transcript in a window of its own, under the light theme."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.chat.transcript.message_body import BodyMaker
from desktop.chat.transcript.transcript_view import TranscriptView
from desktop.theme.colors import LIGHT
from desktop.theme.fonts import load_fonts
from desktop.theme.icons import Icons
from desktop.theme.theme import Theme, fonts_folder, icons_folder

ASSETS = Path(__file__).resolve().parents[4] / "assets"


@pytest.fixture(scope="session")
def theme(qapp: QApplication) -> Theme:
    """Return the light theme, without motion."""
    qapp.setStyle("Fusion")
    return Theme(LIGHT, load_fonts(fonts_folder(ASSETS)), Icons(icons_folder(ASSETS)), reduced_motion=True)


@pytest.fixture
def maker(theme: Theme) -> BodyMaker:
    """Return what makes the rows of messages."""
    return BodyMaker(theme)


@pytest.fixture
def view(theme: Theme, qtbot: QtBot) -> TranscriptView:
    """Return an empty transcript that is on the screen."""
    transcript = TranscriptView(theme)
    qtbot.addWidget(transcript)
    transcript.resize(900, 600)
    with qtbot.waitExposed(transcript):
        transcript.show()
    return transcript
