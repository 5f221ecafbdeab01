"""A link in a reply is opened only by who has seen where it leads."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from runtime.engine.scripted_engine import Script
from tests.desktop.chat.transcript.screen import caret_point
from tests.desktop.window.opened_window import Home, until

ADDRESS = "https://example.org/elsewhere"
LINK = Script(
    replies=((f"See [https://your-bank.example]({ADDRESS}).",),),
    prefill_tokens_per_second=1e6,
    decode_tokens_per_second=2000,
)


@pytest.mark.parametrize("agrees", [True, False])
async def test_a_link_opens_only_after_its_target_was_shown(
    home: Home, monkeypatch: pytest.MonkeyPatch, agrees: bool
) -> None:
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    async with home.open_scripted(LINK) as window:
        await window.ask("Where?")
        transcript = window.desktop.chat_panel.transcript
        at = caret_point(transcript, "your-bank", 3)
        QTest.mouseClick(transcript.viewport(), Qt.MouseButton.LeftButton, pos=at)
        await until(lambda: window.widget.findChildren(QMessageBox, "linkDialog"), "question")
        box = window.find(QMessageBox, "linkDialog")
        assert box.text().endswith(ADDRESS)
        assert box.textFormat() is Qt.TextFormat.PlainText
        assert opened == []
        window.click("linkDialogYesButton" if agrees else "linkDialogCancelButton")
        assert [url.toString() for url in opened] == ([ADDRESS] if agrees else [])
