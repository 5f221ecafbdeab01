"""A table, a row of it to a row of the transcript: columns are shared, so a new row costs the same after any number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QTextOption

from desktop.chat.markdown.block import Block
from desktop.chat.markdown.run import Run, Style
from desktop.chat.transcript.card import paint_card_part
from desktop.chat.transcript.containers import indent_of, paint_containers
from desktop.chat.transcript.document import RunsDocument
from desktop.chat.transcript.look import LINE_HEIGHT_PERCENT, Look
from desktop.chat.transcript.row import RowState, Span, TextRow, utf16_length
from desktop.chat.transcript.table_columns import TableColumns

CELL_PADDING_Y = 0.4


class TableCell:
    """A cell's text; it is laid out only where it is seen or has to be broken into lines.

    Attributes:
        text: what it shows.
        start: offset of its text in the row's.
        natural_width: px, without line breaks.
        left: px from the table's left edge to the text.
        width: px that the text may take.
    """

    def __init__(self, runs: tuple[Run, ...], start: int, alignment: Qt.AlignmentFlag, look: Look) -> None:
        self.text = "".join(run.text for run in runs)
        self.start = start
        self.left = self.width = 0.0
        self._runs = runs
        self._alignment = alignment
        self._look = look
        self._document: RunsDocument | None = None
        lines = [0.0]
        for run in runs:
            first, *rest = run.text.split("\n")
            lines[-1] += look.text_width(first, run.style)
            lines += [look.text_width(line, run.style) for line in rest]
        self.natural_width = max(lines) + 1

    @property
    def end(self) -> int:
        """Offset of the end of its text in the row's."""
        return self.start + utf16_length(self.text)

    def place(self, left: float, width: float) -> float:
        """Take the column's place; return the height that the text takes there, px."""
        self.left, self.width = left, width
        if self.natural_width <= width:
            return (self.text.count("\n") + 1) * self._look.line_height
        return self.document().size().height()

    def document(self) -> RunsDocument:
        """Return the text laid out."""
        if self._document is None:
            self._document = RunsDocument(self._look, self._look.text_font, line_height_percent=LINE_HEIGHT_PERCENT)
            option = QTextOption(self._alignment)
            option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
            self._document.setDefaultTextOption(option)
            self._document.set_runs(self._runs)
        self._document.set_width(self.width)
        return self._document

    def state(self, row: RowState, top: float) -> RowState:
        """Return the row's state as it concerns this cell."""
        return replace(
            row.moved(-self.left, -top),
            selection=self._inside(row.selection),
            hits=tuple(hit for hit in map(self._inside, row.hits) if hit is not None),
            current_hit=self._inside(row.current_hit),
            shows_caret=False,
        )

    def links(self) -> list[str]:
        """Return the addresses in the text."""
        return [run.address for run in self._runs if run.address]

    def release(self) -> None:
        """Drop the document."""
        self._document = None

    def _inside(self, span: Span | None) -> Span | None:
        if span is None or span[1] <= self.start or span[0] >= self.end:
            return None
        return max(span[0], self.start) - self.start, min(span[1], self.end) - self.start


class TableRow(TextRow):
    """One row of a table; its text is that of its cells with tabs between."""

    def __init__(self, block: Block, cells: list[tuple[Run, ...]], columns: TableColumns, look: Look) -> None:
        super().__init__(block)
        self.is_head = False
        self.is_last = False
        self.sideways = columns.sideways
        self._columns = columns
        self._look = look
        self._indent = indent_of(block.containers, look)
        self._padding_y = look.distance(CELL_PADDING_Y)
        self._cells: list[TableCell] = []
        start = 0
        for runs, alignment in zip(cells, columns.alignments, strict=True):
            self._cells.append(TableCell(runs, start, alignment, look))
            start = self._cells[-1].end + 1
        columns.take([cell.natural_width for cell in self._cells])
        self._measured_version = -1
        self._table_width = self._room = 0.0

    def is_measured(self, width: float) -> bool:
        """Tell whether width and columns are those that the height is for."""
        return super().is_measured(width) and self._measured_version == self._columns.version

    def estimate(self, _width: float) -> None:
        """Guess that no cell is broken into lines."""
        self.height = ceil(self._look.line_height) + 2 * self._padding_y

    def measure(self, width: float) -> None:
        """Break lines in the cells that are wider than their column."""
        available = width - self._indent
        widths = self._columns.widths(available)
        self._columns.sideways.fit(sum(widths), available)
        self._measured_version = self._columns.version
        self._table_width = sum(widths)
        self._room = available
        padding = self._columns.padding
        height = max(
            cell.place(left + padding, column_width - 2 * padding)
            for cell, left, column_width in zip(self._cells, self._columns.lefts(widths), widths, strict=True)
        )
        self.height = ceil(height) + 2 * self._padding_y
        super().measure(width)

    def release(self) -> None:
        """Drop the documents."""
        for cell in self._cells:
            cell.release()

    def paint(self, painter: QPainter, width: float, state: RowState) -> None:
        """Paint the row's part of the table."""
        self._paint_beside(painter, width)
        painter.save()
        room = QRectF(0 if self._columns.is_mirrored else self._indent, 0, self._room, self.height)
        painter.setClipRect(room, Qt.ClipOperation.IntersectClip)
        left = self._table_left()
        painter.translate(left, 0)
        self._paint_ground(painter)
        for cell in self._cells:
            painter.translate(cell.left, self._padding_y)
            cell.document().paint(painter, cell.state(state.moved(-left, 0), self._padding_y))
            painter.translate(-cell.left, -self._padding_y)
        painter.restore()

    def plain_text(self) -> str:
        """Return the cells' text, tabs between them."""
        return "\t".join(cell.text for cell in self._cells)

    def offset_at(self, point: QPointF) -> int:
        """Return the place in the text nearest to a point."""
        x = point.x() - self._table_left()
        left_to_right = sorted(self._cells, key=lambda cell: cell.left)
        cell = next((c for c in reversed(left_to_right) if c.left - self._columns.padding <= x), left_to_right[0])
        return cell.start + cell.document().offset_at(QPointF(x - cell.left, point.y() - self._padding_y))

    def caret_rect(self, offset: int) -> QRectF:
        """Return where a caret would stand."""
        cell = next(c for c in reversed(self._cells) if c.start <= offset)
        rect = cell.document().caret_rect(offset - cell.start)
        return rect.translated(self._table_left() + cell.left, self._padding_y)

    def link_at(self, point: QPointF) -> str:
        """Return the address that a point leads to."""
        x, y = point.x() - self._table_left(), point.y() - self._padding_y
        links = (c.document().link_at(QPointF(x - c.left, y)) for c in self._cells if 0 <= x - c.left <= c.width)
        return next(links, "")

    def links(self) -> list[str]:
        """Return the addresses in the cells."""
        return [address for cell in self._cells for address in cell.links()]

    def _table_left(self) -> float:
        if self._columns.is_mirrored:
            return self._room - self._table_width + self._columns.sideways.offset
        return self._indent - self._columns.sideways.offset

    def _paint_beside(self, painter: QPainter, width: float) -> None:
        if self.block.containers:
            box = QRectF(0, -self.gap_above, width, self.height + self.gap_above)
            line = QRectF(0, self._padding_y, 0, self._look.line_height) if self.is_head else None
            mirrored = self._columns.is_mirrored
            paint_containers(painter, self.block, self._look, box=box, first_line=line, mirrored=mirrored)

    def _paint_ground(self, painter: QPainter) -> None:
        colors = self._look.colors
        part = QRectF(0, 0, self._table_width, self.height)
        ground = colors.code if self.is_head else colors.page
        paint_card_part(painter, self._look, part, ground, is_top=self.is_head, is_bottom=self.is_last)
        if not self.is_last:
            painter.fillRect(QRectF(1, self.height - 1, self._table_width - 2, 1), QColor(colors.border))


def table_cells(runs_of_cells: Iterator[tuple[Run, ...]], columns: int, *, is_head: bool) -> list[tuple[Run, ...]]:
    """Return exactly `columns` cells, those of the head in bold."""
    cells = list(runs_of_cells)[:columns]
    cells += [()] * (columns - len(cells))
    if not is_head:
        return cells
    return [tuple(Run(run.text, run.style | Style.BOLD, run.address) for run in runs) for runs in cells]
