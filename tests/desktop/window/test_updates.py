"""Looking for a newer version, from the menu to what the window says: never without consent, and nothing unsigned."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QTextDocument
from PySide6.QtWidgets import QCheckBox, QMessageBox, QTabWidget
from pytestqt.qtbot import QtBot

from desktop.after_start import look_for_updates
from desktop.updates.release_notes import ReleaseNotes
from runtime.config.settings import read_settings
from runtime.updates.feed_request import FeedRequest
from runtime.updates.last_check import LastCheck, write_last_check
from runtime.updates.release_feed import ReleaseFeed
from tests.desktop.controls import controls_of
from tests.desktop.looks import make_theme
from tests.desktop.window.opened_window import Home, OpenedWindow, until
from tests.runtime.updates.feed_server import OTHER_KEY, FeedServer, feed_with, running_feed_server

INSTALLED = "1.0.0"
NOTES = """Faster, and **bold**.

![a picture](https://example.org/tracking.png) <b onclick="x()">html</b> <img src="https://example.org/other.png">

[the page](https://example.org/notes)
"""


@asynccontextmanager
async def opened(home: Home, server: FeedServer) -> AsyncIterator[OpenedWindow]:
    """Open the window of the version `INSTALLED`, which trusts the server's feed."""
    async with home.open_scripted() as window:
        updates = window.states.updates()
        updates.installed = INSTALLED
        updates.source = lambda _: server.source
        updates.get_file = FeedRequest(INSTALLED, tls=lambda: server.trusting).get
        yield window
        await window.idle()


async def agree(window: OpenedWindow) -> None:
    """Turn the daily look on, as a person does."""
    window.choose("settingsAction")
    window.find(QTabWidget, "settingsTabs").setCurrentIndex(2)
    window.find(QCheckBox, "checkForUpdatesBox").click()
    await window.idle()


def feed_now(*versions: str, notes: str = NOTES) -> ReleaseFeed:
    """Return a feed that was signed an hour ago."""
    feed = feed_with(*versions, issued=datetime.now(UTC) - timedelta(hours=1))
    releases = tuple(msgspec.structs.replace(one, notes=notes) for one in feed.releases)
    return msgspec.structs.replace(feed, releases=releases)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FeedServer]:
    """Yield a release feed that holds nothing yet."""
    with running_feed_server(tmp_path) as running:
        yield running


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the addresses that a browser was asked to open."""
    opened: list[str] = []

    def open_url(url: QUrl) -> bool:
        opened.append(url.toString())
        return True

    monkeypatch.setattr(QDesktopServices, "openUrl", open_url)
    return opened


async def title(window: OpenedWindow, says: str) -> None:
    """Wait until the dialog says so."""
    await until(lambda: says in window.text_of("updateTitle"), says)


async def test_this_build_has_no_feed_and_says_so(home: Home) -> None:
    async with home.open_scripted() as window:
        window.choose("checkUpdatesAction")
        await title(window, "This build has no release feed")
        assert not window.find_control("checkAgainButton").isVisible()
        await window.idle()


async def test_without_a_feed_there_is_nothing_to_agree_to(home: Home) -> None:
    async with home.open_scripted() as window:
        window.choose("settingsAction")
        box = window.find(QCheckBox, "checkForUpdatesBox")
        assert not box.isEnabled()
        assert "no release feed" in box.toolTip()
        await window.idle()


async def test_a_newer_version_is_shown_with_what_is_new(home: Home, server: FeedServer, browser: list[str]) -> None:
    server.publish(feed_now("1.1.0", "1.2.0"))
    async with opened(home, server) as window:
        window.choose("checkUpdatesAction")
        await title(window, "First Token 1.2.0 is available")
        notes = window.find(ReleaseNotes, "releaseNotes")
        text = notes.toPlainText()
        assert text.index("First Token 1.2.0") < text.index("First Token 1.1.0")
        assert "[a picture]" in text
        assert "<img" in text  # shown as text: HTML is none here
        assert {path for path, _ in server.asked} == {"/releases.json", "/releases.json.sig"}
        window.click("openReleaseButton")
        assert browser == []
        assert "https://example.org/1.2.0" in window.find(QMessageBox, "updateLink").text()
        window.click("updateLinkYesButton")
        assert browser == ["https://example.org/1.2.0"]


async def test_a_link_in_the_notes_opens_after_its_target_was_shown(
    home: Home, server: FeedServer, browser: list[str]
) -> None:
    server.publish(feed_now("1.2.0"))
    async with opened(home, server) as window:
        window.choose("checkUpdatesAction")
        await title(window, "is available")
        notes = window.find(ReleaseNotes, "releaseNotes")
        notes.anchorClicked.emit(QUrl("file:///etc/passwd"))
        notes.anchorClicked.emit(QUrl("first-token://model/a/b"))
        assert window.widget.findChildren(QMessageBox) == []
        notes.anchorClicked.emit(QUrl("https://example.org/notes"))
        assert "https://example.org/notes" in window.find(QMessageBox, "updateLink").text()
        window.click("updateLinkCancelButton")
        assert browser == []


async def test_a_feed_that_must_not_be_believed_offers_nothing(home: Home, server: FeedServer) -> None:
    server.publish(feed_now("1.2.0"), OTHER_KEY)
    async with opened(home, server) as window:
        window.choose("checkUpdatesAction")
        await title(window, "No word of newer versions")
        assert "not signed by the makers" in window.text_of("updateProblem")
        assert not window.find_control("openReleaseButton").isVisible()
        server.publish(feed_now("1.0.0"))
        window.click("checkAgainButton")
        await title(window, "First Token 1.0.0 is the newest version")


async def test_an_older_version_is_not_offered(home: Home, server: FeedServer) -> None:
    server.publish(feed_now("0.9.0"))
    async with opened(home, server) as window:
        window.choose("checkUpdatesAction")
        await title(window, "You have a newer version than was released")
        assert "0.9.0" in window.text_of("updateExplanation")
        assert not window.find_control("openReleaseButton").isVisible()


async def test_nobody_is_asked_without_consent(home: Home, server: FeedServer) -> None:
    server.publish(feed_now("1.2.0"))
    async with opened(home, server) as window:
        await look_for_updates(window.desktop)
        assert server.asked == []


async def test_with_consent_it_is_looked_once_a_day_and_told(home: Home, server: FeedServer) -> None:
    server.publish(feed_now("1.2.0"))
    async with opened(home, server) as window:
        await agree(window)
        assert read_settings(home.paths.config_file).check_for_updates
        await look_for_updates(window.desktop)
        assert window.notice == "First Token 1.2.0 is available."
        asked = len(server.asked)
        window.click("noticeActionButton")
        await title(window, "First Token 1.2.0 is available")
        await look_for_updates(window.desktop)
        assert len(server.asked) == asked
        write_last_check(home.paths.data, LastCheck(at=datetime.now(UTC) - timedelta(days=2)))
        await look_for_updates(window.desktop)
        assert len(server.asked) == 2 * asked


async def test_a_daily_look_that_fails_disturbs_nobody(home: Home, server: FeedServer) -> None:
    async with opened(home, server) as window:
        await agree(window)
        await look_for_updates(window.desktop)
        assert server.asked
        assert window.notice == ""


async def test_the_window_closes_while_the_feed_is_silent(home: Home, server: FeedServer) -> None:
    asked, answered = threading.Event(), threading.Event()

    def silent(_address: str, _most_bytes: int) -> bytes:
        asked.set()
        answered.wait()
        return b""

    async with home.open_scripted() as window:
        updates = window.states.updates()
        updates.source, updates.get_file = (lambda _: server.source), silent
        window.choose("checkUpdatesAction")
        await until(asked.is_set, "the question")
    answered.set()


async def test_every_control_of_the_dialog_has_a_name(home: Home, server: FeedServer) -> None:
    server.publish(feed_now("1.2.0"))
    async with opened(home, server) as window:
        window.choose("checkUpdatesAction")
        await title(window, "is available")
        controls = controls_of(window.find_control("updateDialog"))
        assert len(controls) >= 3
        assert all(control.objectName() and control.accessibleName() and control.toolTip() for control in controls)


def test_nothing_is_loaded_for_the_notes(qtbot: QtBot) -> None:
    notes = ReleaseNotes(make_theme())
    qtbot.addWidget(notes)
    (release,) = feed_now("1.2.0").releases
    notes.show_releases([release])
    kinds = QTextDocument.ResourceType
    for kind in (kinds.ImageResource, kinds.HtmlResource, kinds.StyleSheetResource, kinds.MarkdownResource):
        assert notes.loadResource(kind.value, QUrl("https://example.org/other.png")) is None
    assert "￼" not in notes.document().toRawText()  # Qt's mark for a picture
