"""Markdown is never executed: links only say where they lead, nothing is fetched, and HTML stays text."""

from __future__ import annotations

import socket

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt, QUrl
from PySide6.QtGui import QContextMenuEvent, QHelpEvent, QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QToolTip
from pytestqt.qtbot import QtBot

from desktop.chat.transcript.context_menu import TranscriptMenu
from desktop.chat.transcript.document import RunsDocument
from desktop.chat.transcript.look import Look
from desktop.chat.transcript.transcript_view import TranscriptView
from desktop.theme.theme import Theme
from runtime.values.chat import MessageId
from tests.desktop.chat.transcript.messages import reply
from tests.desktop.chat.transcript.screen import caret_point, clipboard, drag, painted_anew

LEFT = Qt.MouseButton.LeftButton
LINKS = (
    "A [link](https://e.org/a) here.\n\n| t |\n|---|\n| [cell](https://e.org/cell) |\n\n`[code](https://e.org/code)`"
)


@pytest.mark.parametrize(("text", "address"), [("link", "https://e.org/a"), ("cell", "https://e.org/cell")])
def test_a_click_asks_for_a_link(view: TranscriptView, qtbot: QtBot, text: str, address: str) -> None:
    view.set_messages([reply(1, LINKS)])
    with qtbot.waitSignal(view.link_activated) as activated:
        QTest.mouseClick(view.viewport(), LEFT, pos=caret_point(view, text, 2))
    assert activated.args == [address]


def test_only_a_link_can_be_clicked(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([reply(1, LINKS)])
    with qtbot.assertNotEmitted(view.link_activated):
        for text in ("here", "[code]"):
            QTest.mouseClick(view.viewport(), LEFT, pos=caret_point(view, text, 2))
        drag(view, caret_point(view, "link", 1), caret_point(view, "link", 3))
    assert view.selected_text() == "in"


def test_the_pointer_shows_what_can_be_clicked(view: TranscriptView) -> None:
    view.set_messages([reply(1, LINKS)])
    for text, shape in (("link", Qt.CursorShape.PointingHandCursor), ("here", Qt.CursorShape.IBeamCursor)):
        QTest.mouseMove(view.viewport(), caret_point(view, text, 1))
        assert view.viewport().cursor().shape() is shape


def test_the_pointer_at_rest_shows_where_a_link_leads(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([reply(1, "A [link](https://e.org/<b>a&b) here.")])
    rest(view, caret_point(view, "link", 1))
    assert QToolTip.text() == "https://e.org/%3Cb%3Ea&b"
    rest(view, caret_point(view, "here", 1))
    qtbot.waitUntil(lambda: not QToolTip.isVisible())


def rest(view: TranscriptView, at: QPoint) -> None:
    """Have the pointer rest at a point."""
    QApplication.sendEvent(view.viewport(), QHelpEvent(QEvent.Type.ToolTip, at, view.viewport().mapToGlobal(at)))


def test_the_menu_opens_and_copies_links(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([reply(1, LINKS)])
    QTest.keyClick(view, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    QTest.keyClick(view, Qt.Key.Key_Return)
    menu = view.findChild(TranscriptMenu)
    assert menu is not None
    listed = menu.findChildren(QMenu, "menuLinks")[0].actions()
    assert [action.text() for action in listed] == ["https://e.org/a", "https://e.org/cell"]
    with qtbot.waitSignal(view.link_activated) as activated:
        listed[1].trigger()
    assert activated.args == ["https://e.org/cell"]
    menu.close()


def test_no_image_is_fetched(view: TranscriptView) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{server.getsockname()[1]}/x.png"
    markup = (f"![a]({address})", f"<img src='{address}'>", f"[![b]({address})]({address})", f"<{address}>", address)
    view.set_messages([reply(1, "\n\n".join(markup))])
    painted_anew(view)
    with server:
        server.settimeout(0.3)
        with pytest.raises(TimeoutError):
            server.accept()
    assert "[a]" in view.message_text(MessageId(1))


def test_a_document_loads_nothing(theme: Theme) -> None:
    look = Look(theme)
    document = RunsDocument(look, look.text_font, line_height_percent=100)
    for kind in (QTextDocument.ResourceType.ImageResource, QTextDocument.ResourceType.StyleSheetResource):
        assert document.resource(kind.value, QUrl.fromLocalFile(__file__)) is None


@pytest.mark.parametrize("html", ["<b>bold</b>", "<script>alert(1)</script>", "<!-- x -->", "<img src=x onerror=y>"])
def test_html_is_shown_as_it_is_written(view: TranscriptView, html: str) -> None:
    view.set_messages([reply(1, f"{html} text\n\n{html}\n\n| {html} |\n|---|\n\n- {html}")])
    assert view.message_text(MessageId(1)) == f"{html} text\n{html}\n{html}\n{html}"


def test_a_link_is_copied_by_the_pointers_menu(view: TranscriptView) -> None:
    view.set_messages([reply(1, LINKS)])
    at = caret_point(view, "link", 2)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, view.viewport().mapToGlobal(at))
    QApplication.sendEvent(view.viewport(), event)
    menu = view.findChild(TranscriptMenu)
    assert menu is not None
    next(action for action in menu.actions() if action.objectName() == "menuCopyLink").trigger()
    menu.close()
    assert clipboard() == "https://e.org/a"
