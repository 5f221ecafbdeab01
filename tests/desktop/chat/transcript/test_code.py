"""Code blocks: their language, their Copy button, their colours."""

from __future__ import annotations

import pytest
from pygments.lexers import get_all_lexers
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from desktop.chat.transcript.code_colors import LANGUAGES, MAX_COLORED_CHARACTERS, CodeColors, Colored
from desktop.chat.transcript.code_rows import CodeHeaderRow
from desktop.chat.transcript.look import DARK_SYNTAX, LIGHT_SYNTAX, SyntaxColors
from desktop.chat.transcript.row import RowControl
from desktop.chat.transcript.transcript_view import TranscriptView
from desktop.theme.colors import DARK, LIGHT, contrast_ratio
from runtime.values.chat import MessageId
from runtime.values.generation import TextKind
from tests.desktop.chat.transcript.messages import reply, streaming
from tests.desktop.chat.transcript.screen import box_in_view, clipboard, painted_anew, place_of, row_point, rows_of

COLORS = LIGHT_SYNTAX
CODE = "def one(x):\n\treturn 'text'  # why\n\n"


def colored(lines: list[str], language: str = "python") -> list[list[Colored]]:
    """Return the colours of a whole text."""
    return CodeColors(language, COLORS).colored(lines)[0]


def color_of(lines: list[str], line: int, word: str, language: str = "python") -> str:
    """Return the colour of a word."""
    start = len(lines[line][: lines[line].index(word)].encode("utf-16-le")) // 2
    parts = colored(lines, language)[line]
    return next((color for at, length, color in parts if at <= start < at + length), "")


@pytest.mark.parametrize(
    ("word", "color"),
    [("def", COLORS.keyword), ("one", COLORS.name), ("'text'", COLORS.string), ("# why", COLORS.comment), ("x", "")],
)
def test_parts_of_code_have_colours(word: str, color: str) -> None:
    lines = CODE.split("\n")
    line = next(number for number, text in enumerate(lines) if word in text)
    assert color_of(lines, line, word) == color


def test_colours_count_as_qt_does() -> None:
    assert color_of(["x = '👩' + 1"], 0, "1") == COLORS.number


@pytest.mark.parametrize("language", ["", "nonsense", "Python", "text"])
def test_an_unknown_language_has_no_colours_a_known_one_in_any_case(language: str) -> None:
    assert bool(colored(["def x"], language)[0]) == (language == "Python")


def test_every_language_that_is_asked_for_is_known() -> None:
    assert {alias for _, aliases, _, _ in get_all_lexers(plugins=False) for alias in aliases} >= LANGUAGES


def test_a_string_open_at_the_end_goes_on_in_the_next_lines() -> None:
    colors = CodeColors("python", COLORS)
    _, opener = colors.colored(["x = '''one", "two"])
    assert opener == "x = '''one"
    parts, after = colors.colored(["three'''", "def"], opener)
    assert parts[0][0][2] == COLORS.string
    assert parts[1] == [(0, 3, COLORS.keyword)]
    assert after == ""


def test_very_long_code_has_no_colours_rather_than_costing_seconds() -> None:
    assert colored(["x = 1;" * MAX_COLORED_CHARACTERS]) == [[]]


@pytest.mark.parametrize(("syntax", "ground"), [(LIGHT_SYNTAX, LIGHT.code), (DARK_SYNTAX, DARK.code)])
def test_every_colour_can_be_read(syntax: SyntaxColors, ground: str) -> None:
    for name in LIGHT_SYNTAX.__struct_fields__:
        assert contrast_ratio(getattr(syntax, name), ground) >= 4.5, name


def test_the_copy_button_copies_the_code_alone(view: TranscriptView) -> None:
    view.set_messages([reply(1, f"Text\n\n```python title=x\n{CODE}```\n\n```\nother\n```")])
    copy(view)
    assert clipboard() == CODE.removesuffix("\n")
    assert not view.has_selection()


def copy(view: TranscriptView) -> None:
    """Click the first code block's Copy button."""
    place = place_of(view, CodeHeaderRow)
    width = box_in_view(view, place).width()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=row_point(view, place, width - 30))


def test_code_that_streams_can_be_copied(view: TranscriptView, qtbot: QtBot) -> None:
    view.add_message(streaming(1))
    for text in ("```py\none\n", "two\nthr"):
        with qtbot.waitSignal(view.text_shown):
            view.append_text(MessageId(1), text, TextKind.ANSWER)
    copy(view)
    assert clipboard() == "one\ntwo\nthr"


def test_only_the_button_can_be_pressed_not_the_head_beside_it(view: TranscriptView) -> None:
    view.set_messages([reply(1, "```python\nx\n```")])
    place = place_of(view, CodeHeaderRow)
    row, box = rows_of(view, 0)[place.row], box_in_view(view, place)
    pressed = [row.control_at(QPointF(x, box.height() / 2), box.width()) for x in range(box.width())]
    first = pressed.index(RowControl.COPY_CODE)
    assert first > box.width() * 0.8
    assert set(pressed[first:-6]) == {RowControl.COPY_CODE}


def test_the_language_is_shown(view: TranscriptView) -> None:
    view.set_messages([reply(1, "```rust\nx\n```"), reply(2, "```\nx\n```")])
    heads = [place_of(view, CodeHeaderRow, number) for number in (0, 1)]
    labelled, bare = (painted_anew(view.viewport()).copy(box_in_view(view, place)) for place in heads)
    half = labelled.width() // 2
    assert labelled.copy(0, 0, half, labelled.height()) != bare.copy(0, 0, half, bare.height())


def test_the_keyboard_reaches_every_code_block(view: TranscriptView) -> None:
    view.set_messages([reply(1, "```sh\necho &\n```\n\n```\nplain\n```")])
    QTest.keyClick(view, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    QTest.keyClick(view, Qt.Key.Key_Return)
    (menu,) = view.findChildren(QMenu, "menuCopyCode")
    assert [action.text() for action in menu.actions()] == ["sh: echo &&", "Code: plain"]
    menu.actions()[1].trigger()
    assert clipboard() == "plain"
