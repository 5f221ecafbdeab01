"""What a message says, as rows: the reasoning, the answer, or the user's own words; complete or growing."""

from __future__ import annotations

from dataclasses import dataclass

from desktop.chat.markdown.block_splitter import split_blocks
from desktop.chat.markdown.inline import InlineParser
from desktop.chat.markdown.safe_text import safe_text
from desktop.chat.transcript.block_rows import BlockRowFactory
from desktop.chat.transcript.block_stream import BlockStream
from desktop.chat.transcript.look import Look
from desktop.chat.transcript.plain_blocks import plain_blocks
from desktop.chat.transcript.row import Row
from desktop.theme.theme import Theme
from runtime.values.generation import TextKind
from runtime.values.prompt import Role

COLLAPSED_CHARACTERS = 1600
COLLAPSED_LINES = 16
WORTH_COLLAPSING = 1.25
"""How many times longer than that a text has to be before part of it is hidden."""


class BodyMaker:
    """Makes bodies under one theme."""

    def __init__(self, theme: Theme) -> None:
        self.look = Look(theme)
        parser = InlineParser()
        self.answer_rows = BlockRowFactory(self.look, parser)
        self.reasoning_rows = BlockRowFactory(Look(theme, is_muted=True), parser)


@dataclass(frozen=True, slots=True)
class BodyText:
    """A message's text.

    Attributes:
        role: who wrote it.
        answer: markdown of the assistant, plain text of the user.
        reasoning: markdown.
        is_growing: whether more is to come.
    """

    role: Role
    answer: str
    reasoning: str
    is_growing: bool


class MessageBody:
    """The text rows of one message."""

    def __init__(self, text: BodyText, maker: BodyMaker, *, shows_reasoning: bool, shows_all: bool) -> None:
        self._answer = BlockStream(maker.answer_rows)
        self._reasoning = BlockStream(maker.reasoning_rows, quoted=True)
        self._shows_reasoning = shows_reasoning
        if text.role is Role.USER:
            shown = text.answer if shows_all else collapsed(text.answer)
            self._answer.show(list(plain_blocks(safe_text(shown))))
        elif text.is_growing:
            self.append(text.reasoning, TextKind.REASONING)
            self.append(text.answer, TextKind.ANSWER)
        else:
            self._answer.show(split_blocks(safe_text(text.answer)))
            if shows_reasoning:
                self._reasoning.show(split_blocks(safe_text(text.reasoning)))

    @property
    def rows(self) -> list[Row]:
        """The rows, reasoning first."""
        return [*self._reasoning.rows, *self._answer.rows]

    @property
    def has_answer(self) -> bool:
        """Whether any of the answer is there to see."""
        return bool(self._answer.rows)

    def append(self, text: str, kind: TextKind) -> int | None:
        """Take more text; return the index of the first row that may have changed, None if none has."""
        text = safe_text(text)
        match kind:
            case TextKind.ANSWER:
                return len(self._reasoning.rows) + self._answer.feed(text)
            case TextKind.REASONING:
                return self._reasoning.feed(text) if self._shows_reasoning else None

    def finish(self) -> int:
        """Take the end of the text; return the index of the first row that may have changed."""
        first_of_answer = self._answer.finish()
        before = len(self._reasoning.rows)
        first_of_reasoning = self._reasoning.finish()
        return before + first_of_answer if before == len(self._reasoning.rows) else first_of_reasoning

    def first_answer_row(self) -> int:
        """Return the index of the answer's first row."""
        return len(self._reasoning.rows)


def is_long(text: str) -> bool:
    """Tell whether a text of the user is so long that only its beginning is shown at first."""
    return len(text) > COLLAPSED_CHARACTERS * WORTH_COLLAPSING or text.count("\n") > COLLAPSED_LINES * WORTH_COLLAPSING


def collapsed(text: str) -> str:
    """Return the beginning of a long text, all of a short one."""
    if not is_long(text):
        return text
    lines = text[:COLLAPSED_CHARACTERS].split("\n")[:COLLAPSED_LINES]
    return "\n".join(lines).rstrip() + " …"
