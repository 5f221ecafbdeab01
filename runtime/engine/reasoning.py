"""Split a stream of text into reasoning and answer at the tags models use for it.

What is known of the tags is data: `PHASES` says, for each part of a reply, which markers may open it and which may end
it. The splitter itself knows no tag.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from runtime.values.generation import TextKind

TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<reasoning>": "</reasoning>",
    "<thought>": "</thought>",
    "[THINK]": "[/THINK]",
    "<seed:think>": "</seed:think>",
}

# The channels of gpt-oss (https://github.com/openai/harmony): the reply is a row of messages, each on a channel.
HARMONY_REASONING = "<|channel|>analysis<|message|>"
HARMONY_ANSWER = "<|channel|>final<|message|>"
HARMONY_NEXT = "<|start|>assistant"
HARMONY_END = "<|end|>"


class TextSpan(msgspec.Struct, frozen=True):
    """A piece of text that is all answer or all reasoning."""

    text: str
    kind: TextKind


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a reply.

    Attributes:
        kind: what its text is.
        at_start: markers that count only as the first thing in the phase, whitespace aside, and the phase each opens.
        anywhere: markers that count wherever they stand, and the phase each opens.
        trims_start: whether whitespace at its start is dropped.
    """

    kind: TextKind
    at_start: Mapping[str, str] = {}
    anywhere: Mapping[str, str] = {}
    trims_start: bool = True


_CHANNELS = {HARMONY_REASONING: HARMONY_REASONING, HARMONY_ANSWER: "answer"}
_NEXT_CHANNELS = {HARMONY_NEXT + marker: phase for marker, phase in _CHANNELS.items()}
OPENERS: Mapping[str, str] = {**{opener: opener for opener in TAGS}, **_CHANNELS}

PHASES: Mapping[str, Phase] = {
    "start": Phase(kind=TextKind.ANSWER, at_start=OPENERS, trims_start=False),
    "answer": Phase(kind=TextKind.ANSWER),
    **{opener: Phase(kind=TextKind.REASONING, anywhere={closer: "answer"}) for opener, closer in TAGS.items()},
    HARMONY_REASONING: Phase(kind=TextKind.REASONING, anywhere={HARMONY_END: HARMONY_END, HARMONY_ANSWER: "answer"}),
    HARMONY_END: Phase(kind=TextKind.ANSWER, at_start={**_CHANNELS, **_NEXT_CHANNELS}),
}


class ReasoningSplitter:
    """Labels streamed text as reasoning or answer and takes the tags out.

    A tag opens reasoning only at the beginning of the reply, so that an answer may speak of tags. Whitespace around a
    tag belongs to the tag. Text is held back only while it may be the beginning of a tag.
    """

    def __init__(self, phase: str = "start") -> None:
        self._phase = PHASES[phase]
        self._at_start = True
        self._whitespace: list[str] = []
        self._pending = ""

    @classmethod
    def after_prompt(cls, rendered_prompt: str) -> ReasoningSplitter:
        """Return a splitter for the reply to `rendered_prompt`, which may end in an opened block."""
        prompt = rendered_prompt.rstrip()
        return cls(next((phase for opener, phase in OPENERS.items() if prompt.endswith(opener)), "start"))

    @property
    def kind(self) -> TextKind:
        """What text that comes now is taken for."""
        return self._phase.kind

    def feed(self, text: str) -> list[TextSpan]:
        """Take the next piece of text; return what is certain by now, in order, neighbours of one kind joined."""
        self._pending += text
        spans: list[TextSpan] = []
        while self._advance(spans):
            pass
        return _joined(spans)

    def flush(self) -> list[TextSpan]:
        """Return what was held back, at the end of the reply; an unclosed block is reasoning to its end."""
        held = "".join(self._whitespace) + self._pending
        self._whitespace, self._pending = [], ""
        return _joined([TextSpan(held, self.kind)])

    def _advance(self, spans: list[TextSpan]) -> bool:
        """Do one step; return whether another may follow without more text."""
        if self._at_start:
            return self._leave_start(spans)
        return self._pass_marker(spans)

    def _leave_start(self, spans: list[TextSpan]) -> bool:
        """Decide what the phase begins with, if that can be told by now."""
        stripped = self._pending.lstrip()
        if not self._phase.trims_start:
            self._whitespace.append(self._pending[: len(self._pending) - len(stripped)])
        self._pending = stripped
        marker = next((marker for marker in self._phase.at_start if stripped.startswith(marker)), None)
        if marker:
            self._enter(self._phase.at_start[marker], stripped[len(marker) :])
            return True
        if not stripped or any(marker.startswith(stripped) for marker in self._phase.at_start):
            return False
        self._at_start = False
        spans.append(TextSpan("".join(self._whitespace), self.kind))
        self._whitespace = []
        return True

    def _pass_marker(self, spans: list[TextSpan]) -> bool:
        """Let text go up to the first marker, or up to what may be the beginning of one."""
        markers = self._phase.anywhere
        found = [(self._pending.find(marker), marker) for marker in markers if marker in self._pending]
        if not found:
            shown = len(self._pending) - max((_open_suffix(self._pending, marker) for marker in markers), default=0)
            spans.append(TextSpan(self._pending[:shown], self.kind))
            self._pending = self._pending[shown:]
            return False
        position, marker = min(found)
        spans.append(TextSpan(self._pending[:position], self.kind))
        self._enter(markers[marker], self._pending[position + len(marker) :])
        return True

    def _enter(self, phase: str, pending: str) -> None:
        self._phase, self._at_start, self._whitespace, self._pending = PHASES[phase], True, [], pending


def _open_suffix(text: str, marker: str) -> int:
    """Return how many characters at the end of `text` may be the beginning of `marker`."""
    longest = min(len(text), len(marker) - 1)
    return next((size for size in range(longest, 0, -1) if marker.startswith(text[len(text) - size :])), 0)


def _joined(spans: list[TextSpan]) -> list[TextSpan]:
    joined: list[TextSpan] = []
    for span in spans:
        if not span.text:
            continue
        if joined and joined[-1].kind is span.kind:
            joined[-1] = TextSpan(joined[-1].text + span.text, span.kind)
        else:
            joined.append(span)
    return joined
