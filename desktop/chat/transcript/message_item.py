"""A message in the transcript: its rows, made when it first comes into view, and where they stand."""

from __future__ import annotations

from math import ceil

import msgspec
from PySide6.QtCore import QCoreApplication, QRectF

from desktop.chat.markdown.safe_text import safe_text
from desktop.chat.transcript.chrome_rows import (
    BoundaryRow,
    ChromeRow,
    FooterRow,
    NoticeRow,
    ReasoningRow,
    ShowMoreRow,
    StatusRow,
)
from desktop.chat.transcript.column import BUBBLE_PADDING_X, BUBBLE_PADDING_Y, Column
from desktop.chat.transcript.message_body import COLLAPSED_LINES, BodyMaker, BodyText, MessageBody, is_long
from desktop.chat.transcript.message_view import MessageAction, MessageView
from desktop.chat.transcript.prose_row import ProseRow
from desktop.chat.transcript.row import Row, TextRow
from desktop.chat.transcript.row_stack import RowStack
from runtime.values.chat import MessageState
from runtime.values.generation import TextKind
from runtime.values.prompt import Role

REASONING_GAP, GAP_BELOW_REASONING = 0.55, 0.9
GAP_BELOW_USER, GAP_BELOW_REPLY = 0.15, 1.0
CHARACTERS_COUNTED = 20_000
"""How much of a text is looked at to guess its height; a guess needs no more."""


class MessageItem:
    """A message: what is known of it, and its rows.

    Attributes:
        view: what is known of it.
        stack: its rows; empty before it comes into view.
        shows_reasoning: whether the reasoning is unfolded.
        shows_all: whether all of a long text is shown.
    """

    def __init__(self, view: MessageView, maker: BodyMaker, column: Column) -> None:
        self.view = view
        self.stack = RowStack()
        self.shows_reasoning = False
        self.shows_all = False
        self._maker = maker
        self._column = column
        self._body: MessageBody | None = None
        self._head: ReasoningRow | None = None
        self._tail: list[ChromeRow] = []
        self._tail_is_for: tuple[MessageView, bool] | None = None
        self._received: dict[TextKind, list[str]] = {TextKind.ANSWER: [], TextKind.REASONING: []}
        self._estimated_height = self._estimate()
        self._is_placed = False

    @property
    def height(self) -> float:
        """Px; an estimate until the rows have their place."""
        return self.stack.height if self._is_placed else self._estimated_height

    @property
    def gap_below(self) -> float:
        """Px to the next message."""
        return self._maker.look.distance(GAP_BELOW_USER if self.is_user else GAP_BELOW_REPLY)

    @property
    def is_streaming(self) -> bool:
        """Whether more text is to come."""
        return self.view.state is MessageState.STREAMING

    @property
    def is_user(self) -> bool:
        """Whether the user wrote it."""
        return self.view.role is Role.USER

    # content

    def build(self) -> None:
        """Make the rows, unless they are there. Nothing moves by that: only `place` has the height follow them."""
        if self._body is None:
            text = BodyText(self.view.role, self.answer(), self.reasoning(), self.is_streaming)
            self._body = MessageBody(text, self._maker, shows_reasoning=self.shows_reasoning, shows_all=self.shows_all)
            self._compose(self._body, 0)

    def place(self) -> None:
        """Make the rows and have the height follow them."""
        self.build()
        self._is_placed = True

    def forget_rows(self) -> None:
        """Have the rows made anew."""
        self._estimated_height, self._is_placed = self.height, False
        self._body = self._head = self._tail_is_for = None
        self.stack = RowStack()

    def append(self, text: str, kind: TextKind) -> int:
        """Take more text of a reply under way; return the index of the first row that may have changed."""
        self._received[kind].append(text)
        if self._body is None:
            self.place()
            return 0
        self._is_placed = True
        first = self._body.append(text, kind)
        return self._compose(self._body, len(self._body.rows) if first is None else first)

    def answer(self) -> str:
        """Return the answer as far as it is there."""
        return self.view.text + "".join(self._received[TextKind.ANSWER])

    def reasoning(self) -> str:
        """Return the reasoning as far as it is there."""
        return self.view.reasoning + "".join(self._received[TextKind.REASONING])

    def update(self, view: MessageView) -> None:
        """Take what is known now; rows whose text stays, stay. While it streams, its text is what has come in."""
        was_streaming, text_before = self.is_streaming, (self.answer(), self.reasoning())
        if was_streaming and view.state is MessageState.STREAMING:
            view = msgspec.structs.replace(view, text=self.view.text, reasoning=self.view.reasoning)
        else:
            self._received = {kind: [] for kind in self._received}
        self.view = view
        if self._body is None:
            self._estimated_height = self._estimate()
        elif (self.answer(), self.reasoning()) != text_before or (self.is_streaming and not was_streaming):
            self.forget_rows()
            self.place()
        else:
            has_ended = was_streaming and not self.is_streaming
            self._compose(self._body, self._body.finish() if has_ended else len(self._body.rows))

    def unfold(self) -> None:
        """Show all there is: the reasoning, and all of a long text."""
        if not (self.shows_reasoning and self.shows_all):
            self.shows_reasoning = self.shows_all = True
            self.forget_rows()

    def set_maker(self, maker: BodyMaker) -> None:
        """Look different from now on."""
        self._maker = maker
        self.forget_rows()

    def fold_reasoning(self) -> None:
        """Show the reasoning, or hide it."""
        self.shows_reasoning = not self.shows_reasoning
        self.forget_rows()
        self.place()

    def fold_text(self) -> None:
        """Show all of a long text, or only its beginning."""
        self.shows_all = not self.shows_all
        self.forget_rows()
        self.place()

    @property
    def is_long(self) -> bool:
        """Whether it is a text of the user of which only the beginning is shown at first."""
        return self.is_user and is_long(self.view.text)

    def markdown_of(self, first: int, last: int) -> str:
        """Return the source of the blocks that the rows from `first` to `last` belong to."""
        if self._body is None:
            return ""
        answer_starts = (1 if self._head else 0) + self._body.first_answer_row()
        sources = (
            (self.reasoning(), self.stack.rows[first : min(last + 1, answer_starts)]),
            (self.answer(), self.stack.rows[max(first, answer_starts) : last + 1]),
        )
        parts = []
        for source, rows in sources:
            blocks = [row.block for row in rows if isinstance(row, TextRow)]
            if blocks:
                parts.append(safe_text(source)[blocks[0].start : blocks[-1].end])
        return "\n\n".join(parts)

    # geometry

    def set_column(self, column: Column) -> None:
        """Stand in another column; rows keep their heights until they come into view."""
        self._column = column
        self._mirror_chrome()

    def measure(self, top: float, bottom: float) -> bool:
        """Make what stands between `top` and `bottom` px exact; tell whether the height changed."""
        before = self.height
        self.place()
        changed = self.stack.measure(top, bottom, self.width_of)
        return changed or self.height != before

    def box_of(self, index: int) -> QRectF:
        """Return where a row is painted: x from the viewport's edge, y from the message's top."""
        row, top = self.stack.rows[index], self.stack.tops[index]
        if not self._is_in_bubble(row):
            return QRectF(self._column.left, top, self._column.width, row.height)
        width, bubble = self.width_of(row), self.bubble()
        padding = self._maker.look.distance(BUBBLE_PADDING_X)
        if isinstance(row, ProseRow) and row.is_right_to_left():
            return QRectF(bubble.right() - padding - width, top, width, row.height)
        return QRectF(bubble.left() + padding, top, width, row.height)

    def bubble(self) -> QRectF:
        """Return the ground of the user's words, in the same coordinates."""
        look, rows = self._maker.look, self.stack.rows
        last = next(index for index in range(len(rows) - 1, -1, -1) if self._is_in_bubble(rows[index]))
        first = rows[0]
        inner = self.width_of(first)
        if (last == 0 or (last == 1 and self.is_long)) and isinstance(first, ProseRow) and first.is_measured(inner):
            inner = min(first.natural_width(), inner)
        return self._column.bubble(inner, self.stack.tops[last] + rows[last].height, look)

    def outline(self) -> QRectF:
        """Return the message's rectangle in the same coordinates."""
        return QRectF(self._column.left, 0, self._column.width, self.height)

    def caret_row(self) -> int:
        """Return the index of the row at whose end more text is expected."""
        rows = self.stack.rows
        return next((i for i in range(len(rows) - 1, -1, -1) if isinstance(rows[i], TextRow | StatusRow)), -1)

    def width_of(self, row: Row) -> float:
        """Return the width that a row is laid out at, px."""
        if not self._is_in_bubble(row):
            return self._column.width
        return self._column.bubble_text_width(self._maker.look)

    def _is_in_bubble(self, row: Row) -> bool:
        return self.is_user and isinstance(row, TextRow | ShowMoreRow)

    def _estimate(self) -> float:
        """Guess the height from the text's length alone."""
        look, text = self._maker.look, self.answer()[:CHARACTERS_COUNTED]
        a_line = max(self._column.width / look.character_width, 20)
        lines = 1 + text.count("\n") + len(text) / a_line
        if self.is_long:
            lines = min(lines, COLLAPSED_LINES + 2)
        return ceil(lines * look.line_height) + look.distance(3)

    # rows

    def _compose(self, body: MessageBody, first: int) -> int:
        """Put the rows around the body's, which are as they were before index `first`; return the first new row."""
        had_head = self._head is not None
        self._head = self._reasoning_head()
        head = [self._head] if self._head else []
        rows = body.rows
        self._set_gaps(body, rows)
        start = len(head) + first if had_head == bool(head) else 0
        if self._tail_is_for != (self.view, body.has_answer):
            self._tail, self._tail_is_for = self._new_tail(body), (self.view, body.has_answer)
        self._mirror_chrome()
        self.stack.replace_from(start, [*head, *rows, *self._tail][start:], self.width_of)
        return start

    def _mirror_chrome(self) -> None:
        for row in (self._head, *self._tail):
            if row is not None:
                row.is_mirrored = self._column.is_mirrored

    def _set_gaps(self, body: MessageBody, rows: list[Row]) -> None:
        look = self._maker.look
        if self.is_user and rows:
            rows[0].gap_above = look.distance(BUBBLE_PADDING_Y)
        elif self._head is not None:
            first_answer = body.first_answer_row()
            if first_answer < len(rows):
                rows[first_answer].gap_above = look.distance(GAP_BELOW_REASONING)
            if rows:
                rows[0].gap_above = look.distance(REASONING_GAP)

    def _reasoning_head(self) -> ReasoningRow | None:
        if not self.view.reasoning and not self._received[TextKind.REASONING]:
            return None
        label = self.view.reasoning_label or QCoreApplication.translate("Transcript", "Reasoning")
        if self._head is None:
            return ReasoningRow(self._maker.look, label, is_open=self.shows_reasoning)
        self._head.label = label
        return self._head

    def _new_tail(self, body: MessageBody) -> list[ChromeRow]:
        """Return the rows below the text."""
        look, view, tail = self._maker.look, self.view, list[ChromeRow]()
        if self.is_user and is_long(view.text):
            tail.append(ShowMoreRow(look, is_open=self.shows_all))
        if self.is_streaming and not body.has_answer:
            tail.append(StatusRow(look, view.status))
        if view.notice:
            is_error = view.state is MessageState.FAILED
            width = self._column.retry_width if MessageAction.RETRY in view.actions else 0.0
            notice = NoticeRow(look, view.notice, is_error=is_error, button_width=width)
            notice.gap_above = look.distance(0.6)
            tail.append(notice)
        branch = f"{view.branch_index + 1}/{view.branch_count}" if view.branch_count > 1 else ""
        footer = FooterRow(look, view.figures, branch, buttons_width=self._column.buttons_width)
        if self.is_user:
            footer.gap_above = look.distance(BUBBLE_PADDING_Y)
        tail.append(footer)
        if view.boundary:
            tail.append(BoundaryRow(look, view.boundary))
        return tail
