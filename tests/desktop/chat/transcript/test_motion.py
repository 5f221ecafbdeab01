"""Motion: jumping to the latest message glides, unless motion is reduced; and nothing moves by itself."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt, QVariantAnimation
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from desktop.chat.transcript.transcript_view import TranscriptView
from desktop.theme.theme import Theme
from tests.desktop.chat.transcript.messages import conversation, streaming


def animations(view: TranscriptView) -> list[QVariantAnimation]:
    """Return the animations that are running."""
    found = view.findChildren(QVariantAnimation)
    return [animation for animation in found if animation.state() is QVariantAnimation.State.Running]


def jump(view: TranscriptView) -> None:
    """Scroll to the top, and jump to the end by the button."""
    QTest.keyClick(view, Qt.Key.Key_Home)
    button = view.findChild(QAbstractButton, "jumpToLatestButton")
    assert button is not None
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize("reduced", [True, False])
def test_a_jump_glides_unless_motion_is_reduced(
    view: TranscriptView, theme: Theme, qtbot: QtBot, reduced: bool
) -> None:
    view.apply_theme(Theme(theme.colors, theme.fonts, theme.icons, reduced_motion=reduced))
    view.set_messages(conversation(40))
    bar = view.verticalScrollBar()
    jump(view)
    assert bool(animations(view)) is not reduced
    assert (bar.value() == bar.maximum()) is reduced
    qtbot.waitUntil(lambda: not animations(view))
    assert bar.value() == bar.maximum()


def test_scrolling_stops_a_jump_under_way(view: TranscriptView, theme: Theme) -> None:
    view.apply_theme(Theme(theme.colors, theme.fonts, theme.icons, reduced_motion=False))
    view.set_messages(conversation(40))
    jump(view)
    view.verticalScrollBar().triggerAction(view.verticalScrollBar().SliderAction.SliderPageStepSub)
    assert not animations(view)


def test_the_caret_of_a_reply_under_way_stands_still(view: TranscriptView) -> None:
    view.add_message(streaming(1, "text"))
    assert not animations(view)
