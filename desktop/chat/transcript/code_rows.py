"""A code block: a head with its language and a Copy button, then its lines, sixteen to a row.

Long lines are not broken; the block scrolls sideways. Colours come per row, when it is first painted or its last line
is complete.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QTextOption

from desktop.chat.markdown.block import Block
from desktop.chat.transcript.card import paint_card_part
from desktop.chat.transcript.code_colors import CodeColors, Colored
from desktop.chat.transcript.containers import indent_of, paint_containers
from desktop.chat.transcript.document import RunsDocument
from desktop.chat.transcript.line_highlighter import LineHighlighter
from desktop.chat.transcript.look import CODE_LINE_HEIGHT_PERCENT, Look
from desktop.chat.transcript.row import Row, RowControl, RowState, Sideways, Span, TextRow, line_around

LINES_A_ROW = 16
"""More would make colouring a line that is complete dearer, because the whole row is coloured with it."""
ROWS_LOOKED_BACK = 8
"""How far back the beginning of an open string or comment is looked for."""
TAB_CHARACTERS = 4
BAR_HEIGHT = 5.0


class CodeHeaderRow(Row):
    """The top of a code block: its language, and the Copy button."""

    def __init__(self, block: Block, look: Look) -> None:
        super().__init__()
        self.block = block
        self._look = look
        self._indent = indent_of(block.containers, look)
        self.height = look.distance(2.0)

    def update(self, block: Block) -> None:
        """Show the block's language."""
        self.block = block

    def control_at(self, point: QPointF, width: float) -> RowControl | None:
        """Return the Copy button if the point is on it."""
        return RowControl.COPY_CODE if self._copy_box(width).contains(point) else None

    def paint(self, painter: QPainter, width: float, state: RowState) -> None:
        """Paint the top of the card."""
        look = self._look
        if self.block.containers:
            box, line = QRectF(0, -self.gap_above, width, self.height + self.gap_above), QRectF(0, 0, 0, self.height)
            paint_containers(painter, self.block, look, box=box, first_line=line)
        card = QRectF(self._indent, 0, width - self._indent, self.height)
        paint_card_part(painter, look, card, look.colors.code, is_top=True)
        painter.setFont(look.small_font)
        painter.setPen(QColor(look.colors.muted))
        label = QRectF(self._indent + look.distance(0.8), 0, width, self.height)
        painter.drawText(label, Qt.AlignmentFlag.AlignVCenter, self.block.language)
        copy = self._copy_box(width)
        if state.hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(look.colors.hover))
            painter.drawRoundedRect(copy.adjusted(0, 3, 0, -3), 6, 6)
            painter.setPen(QColor(look.colors.text))
        painter.drawText(copy, Qt.AlignmentFlag.AlignCenter, copy_label())

    def _copy_box(self, width: float) -> QRectF:
        room = self._look.small_width(copy_label()) + self._look.distance(1.0)
        return QRectF(width - room - 6, 0, room, self.height)


class CodeRow(TextRow):
    """Some lines of a code block."""

    def __init__(self, block: Block, first_line: int, look: Look, shared: CodeBlockState) -> None:
        super().__init__(block)
        self.sideways = shared.sideways
        self.first_line = first_line
        self.is_last = True
        self.lines: list[str] = []
        self._look = look
        self._shared = shared
        self._indent = indent_of(block.containers, look)
        self._padding = look.distance(0.8)
        self._document: RunsDocument | None = None
        self._highlighter: LineHighlighter | None = None
        self._is_settled = False
        self._opener_before_last_line = ""
        self._opener_after: str | None = None

    def update(self, lines: list[str], *, is_last: bool) -> None:
        """Show these lines of a block that has grown."""
        if (lines, is_last) == (self.lines, self.is_last):
            return
        only_last_line = is_last and len(lines) == len(self.lines)
        unchanged = max(min(len(self.lines), len(lines)) - 1, 0)
        self.lines, self.is_last, self._opener_after = lines, is_last, None
        self._shared.longest_line = max(self._shared.longest_line, *map(len, lines))
        if self._document is not None:
            self._document.set_text("\n".join(lines))
            recolored = self._color_last_line() if only_last_line else self._color()
            self.dirty_top = min(unchanged, recolored) * self._look.code_line_height
        self.forget_measure()

    def settle(self) -> bool:
        """Take that the last line is complete, too; tell whether that changed its colours."""
        self._is_settled = True
        recolored = self._color() if self._document is not None else len(self.lines)
        self.dirty_top = min(self.dirty_top, recolored * self._look.code_line_height)
        return recolored < len(self.lines)

    def estimate(self, _width: float) -> None:
        """Count lines; none of them is broken, so this is nearly exact."""
        self.height = ceil(len(self.lines) * self._look.code_line_height) + self._bottom_padding()

    def measure(self, width: float) -> None:
        """Lay the lines out."""
        document = self._laid_out()
        view = width - self._indent - 2 * self._padding
        self.height = ceil(document.size().height()) + self._bottom_padding()
        widest = max(document.idealWidth(), self._shared.longest_line * self._look.code_character_width)
        self._shared.sideways.fit(widest, view)
        super().measure(width)

    def release(self) -> None:
        """Drop the document."""
        self._document = self._highlighter = None

    def paint(self, painter: QPainter, width: float, state: RowState) -> None:
        """Paint this part of the card, and the lines in it as far as they are not scrolled out."""
        document = self._laid_out()
        if self.block.containers:
            paint_containers(painter, self.block, self._look, box=QRectF(0, 0, width, self.height), first_line=None)
        card = QRectF(self._indent, 0, width - self._indent, self.height)
        paint_card_part(painter, self._look, card, self._look.colors.code, is_bottom=self.is_last)
        painter.save()
        painter.setClipRect(card.adjusted(1, 0, -1, 0), Qt.ClipOperation.IntersectClip)
        left = self._text_left()
        painter.translate(left, 0)
        if len(self.lines[-1]) * self._look.code_character_width > card.width() + self._shared.sideways.offset:
            state = replace(state, shows_caret=False)  # It is out of view, and finding it takes long in a long line.
        document.paint(painter, state.moved(-left, 0))
        painter.restore()
        handle = self.bar(width)
        if not handle.isEmpty():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self._look.colors.faint if state.hovered else self._look.colors.border))
            painter.drawRoundedRect(handle, BAR_HEIGHT / 2, BAR_HEIGHT / 2)

    def bar(self, width: float) -> QRectF:
        """Return the handle of the sideways scroll bar; only the last row has it, and only where it is needed."""
        if not self.is_last:
            return QRectF()
        return self._shared.sideways.bar(self.bar_track(width))

    def bar_track(self, width: float) -> QRectF:
        """Return where that handle moves."""
        left = self._indent + self._padding
        return QRectF(left, self.height - BAR_HEIGHT - 3, width - left - self._padding, BAR_HEIGHT)

    def bar_ratio(self, width: float) -> float:
        """Return how many px of content a px of that handle stands for."""
        track = self.bar_track(width).width() - self.bar(width).width()
        return self._shared.sideways.hidden / track if track > 0 else 0.0

    def paragraph_at(self, offset: int) -> Span:
        """Return the line around `offset`."""
        return line_around(self.plain_text(), offset)

    def plain_text(self) -> str:
        """Return the lines."""
        return "\n".join(self.lines)

    def offset_at(self, point: QPointF) -> int:
        """Return the place in the text nearest to a point."""
        return self._laid_out().offset_at(point - QPointF(self._text_left(), 0))

    def caret_rect(self, offset: int) -> QRectF:
        """Return where a caret would stand."""
        return self._laid_out().caret_rect(offset).translated(self._text_left(), 0)

    def link_at(self, _point: QPointF) -> str:
        """Return nothing: code has no links."""
        return ""

    @property
    def knows_opener_after(self) -> bool:
        """Whether `opener_after` costs nothing."""
        return self._opener_after is not None

    def opener_after(self, opener_before: str) -> str:
        """Return the line in which a string or comment begins that is still open after this row."""
        if self._opener_after is None:
            _, self._opener_after = self._shared.colors.colored(self.lines, opener_before)
        return self._opener_after

    def _bottom_padding(self) -> float:
        return self._padding if self.is_last else 0.0

    def _text_left(self) -> float:
        return self._indent + self._padding - self._shared.sideways.offset

    def _laid_out(self) -> RunsDocument:
        if self._document is None:
            document = RunsDocument(self._look, self._look.code_font, line_height_percent=CODE_LINE_HEIGHT_PERCENT)
            option = QTextOption()
            option.setWrapMode(QTextOption.WrapMode.NoWrap)
            option.setTabStopDistance(TAB_CHARACTERS * self._look.code_character_width)
            option.setTextDirection(Qt.LayoutDirection.LeftToRight)
            document.setDefaultTextOption(option)
            document.set_text(self.plain_text())
            self._document, self._highlighter = document, LineHighlighter(document)
            self._color()
        return self._document

    def _color(self) -> int:
        """Colour the lines; return the first that looks different now."""
        if self._highlighter is None:
            return 0
        colors, opener = self._shared.colors, self._shared.opener_before(self)
        if self._is_settled or not self.is_last:
            colored, self._opener_after = colors.colored(self.lines, opener)
            return self._highlighter.show(colored)
        complete, self._opener_before_last_line = colors.colored(self.lines[:-1], opener)
        return self._show_with_last_line(complete)

    def _color_last_line(self) -> int:
        """Colour the line under way, which costs the same after any number of lines."""
        return self._show_with_last_line(self._highlighter.lines[: len(self.lines) - 1]) if self._highlighter else 0

    def _show_with_last_line(self, complete: list[list[Colored]]) -> int:
        if self._highlighter is None:
            return 0
        last, _ = self._shared.colors.colored(self.lines[-1:], self._opener_before_last_line)
        return self._highlighter.show([*complete, *last])


class CodeBlockState:
    """What the rows of one code block share.

    Attributes:
        colors: of its language.
        sideways: how far it is scrolled.
        longest_line: characters of its longest line.
        rows: the rows, in order.
    """

    def __init__(self, colors: CodeColors) -> None:
        self.colors = colors
        self.sideways = Sideways()
        self.longest_line = 0
        self.rows: list[CodeRow] = []

    def opener_before(self, row: CodeRow) -> str:
        """Return the opener for the first line of `row`."""
        end = row.first_line // LINES_A_ROW
        start = max(end - ROWS_LOOKED_BACK, 0)
        start = next((i for i in range(end - 1, start, -1) if self.rows[i].knows_opener_after), start)
        opener = ""
        for above in self.rows[start:end]:
            opener = above.opener_after(opener)
        return opener


def copy_label() -> str:
    """Return the Copy button's text."""
    return QCoreApplication.translate("Transcript", "Copy")
