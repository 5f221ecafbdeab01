"""Running text: its fonts, its distances, and what is painted beside it."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QFont, QFontInfo

from desktop.chat.markdown.block_splitter import split_blocks
from desktop.chat.markdown.run import Run, Style
from desktop.chat.transcript.block_stream import BlockStream
from desktop.chat.transcript.document import RunsDocument
from desktop.chat.transcript.look import Look
from desktop.chat.transcript.message_body import BodyMaker
from desktop.chat.transcript.transcript_view import TranscriptView
from desktop.theme.theme import Theme
from tests.desktop.chat.transcript.messages import reply
from tests.desktop.chat.transcript.screen import rows_of


def font_of(look: Look, run: Run, font: QFont) -> QFont:
    """Return the font that a run is laid out in, within text of another font."""
    document = RunsDocument(look, font, line_height_percent=100)
    document.set_runs((run,))
    return document.begin().begin().fragment().charFormat().font().resolve(font)


@pytest.mark.parametrize("level", [1, 3, 6])
def test_code_in_a_heading_is_as_large_as_the_heading(theme: Theme, level: int) -> None:
    look = Look(theme)
    heading = look.heading_font(level)
    code = font_of(look, Run("code", Style.CODE), heading)
    assert code.family() == look.code_font.family()
    assert code.pointSizeF() == pytest.approx(0.9 * heading.pointSizeF())


def test_bold_italics_are_both(theme: Theme) -> None:
    """The bundled family has a face of its own for them; without one they would only be italic."""
    look = Look(theme)
    info = QFontInfo(font_of(look, Run("both", Style.BOLD | Style.ITALIC), look.text_font))
    assert info.italic()
    assert info.weight() >= QFont.Weight.DemiBold


def gaps(maker: BodyMaker, text: str, *, quoted: bool = False) -> list[float]:
    """Return the distances between the blocks of a text."""
    stream = BlockStream(maker.answer_rows, quoted=quoted)
    stream.show(split_blocks(text))
    return [row.gap_above for row in stream.rows[1:]]


@pytest.mark.parametrize("quoted", [True, False])
def test_a_list_is_as_tight_in_a_quote_as_outside(maker: BodyMaker, quoted: bool) -> None:
    tight, loose, of_paragraphs = (
        gaps(maker, text, quoted=quoted)[0] for text in ("- a\n- b", "- a\n\n- b", "above\n\nbelow")
    )
    assert tight < loose == of_paragraphs
    assert gaps(maker, "> - a\n> - b", quoted=quoted) == [tight]
    assert gaps(maker, "> above\n> - a", quoted=quoted) == [of_paragraphs]


def test_a_frame_in_a_list_has_room_around_it(maker: BodyMaker) -> None:
    above_code, _, below_code, between_items = gaps(maker, "- a\n  ```\n  x\n  ```\n- b\n- c")
    assert above_code == below_code > between_items


def test_unfolded_reasoning_stands_apart_from_the_answer(view: TranscriptView) -> None:
    view.set_messages([reply(1, "Answer", reasoning="Because\n\nof this")])
    view.fold_reasoning(0)
    _, _, within, answer, _ = (row.gap_above for row in rows_of(view, 0))
    assert answer > within > 0


def test_latex_reads_as_text(view: TranscriptView) -> None:
    view.set_messages([reply(1, "Let $x_1 \\le \\frac{a}{b}$:\n\n$$\n\\sqrt{x^2}\n$$")])
    assert view.message_text(view.message_ids()[0]) == "Let x₁ ≤ a/b:\n√x²"
