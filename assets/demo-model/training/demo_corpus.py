"""Read the written corpus and split its questions into training and held-out ones.

The corpus is plain text, made to be written and reviewed by people. Each block is one *intent*:

    @ kv.what                          an id, unique in the whole corpus
    % the KV cache | KV cache          topic phrases, put into the "What is ...?" frames below
    ~ prefill | decode                 two things to compare, put into the comparison frames below
    ? How {big|large} is it?           a question; braces hold alternatives and every combination is one wording
    ?? Its size?                       a question that is always trained, never held out
    = The answer, which may go on for several lines. Several "=" are alternative answers.
    + why? | why is that?              follow-up questions that make sense only after the answer above
    = Answer to the follow-up, or "= @other.id" for the answer of another intent.

Lines that start with "//" are comments. A question is held out from training by whole lines (so every expansion of the
line is new to the model), by single frames of a topic phrase, or, for small talk and out-of-scope questions, by single
expansions.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

WHAT_FRAMES = (
    "What is {}?",
    "What's {}?",
    "What are {}?",
    "What does {} mean?",
    "Explain {}",
    "Explain {} to me",
    "Can you explain {}?",
    "Please explain {}",
    "Tell me about {}",
    "Tell me something about {}",
    "Define {}",
    "{}",
    "{}?",
    "Describe {}",
    "I don't understand {}",
    "Could you tell me what {} is?",
    "What do you know about {}?",
    "What exactly is {}?",
    "What is {} in simple words?",
    "What is meant by {}?",
    "I want to know about {}",
    "How would you explain {}?",
    "Do you know what {} is?",
    "Give me a definition of {}",
)
COMPARE_FRAMES = (
    "What is the difference between {} and {}?",
    "What's the difference between {} and {}?",
    "Difference between {} and {}",
    "{} vs {}",
    "{} versus {}",
    "{} or {}?",
    "How does {} differ from {}?",
    "How do {} and {} differ?",
    "Compare {} and {}",
    "Compare {} with {}",
    "What distinguishes {} from {}?",
    "Is {} the same as {}?",
    "Are {} and {} the same?",
    "Explain the difference between {} and {}",
)
HELD_OUT_FRAME_SHARE = 0.12
HELD_OUT_EXPANSION_SHARE = 0.10
MIN_LINES_TO_HOLD_OUT = 3
HELD_OUT_LINE_SHARE = 0.35
HELD_OUT_SMALL_TALK_SHARE = 0.3

_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class FollowUp:
    """Questions that refer to the previous answer, and what to say then."""

    questions: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass
class Intent:
    """One thing a user may want, with every wording of it and its answers."""

    id: str
    category: str
    lines: list[tuple[str, ...]] = field(default_factory=list)
    trained_lines: list[tuple[str, ...]] = field(default_factory=list)
    frames: list[tuple[str, ...]] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    follow_ups: list[FollowUp] = field(default_factory=list)


@dataclass(frozen=True)
class SplitIntent:
    """An intent with its wordings divided: groups to train on, and single questions that stay unseen."""

    intent: Intent
    train_groups: tuple[tuple[str, ...], ...]
    held_out_lines: tuple[str, ...]
    held_out_frames: tuple[str, ...]


def normalized(question: str) -> str:
    """Return the wording that decides whether two questions are the same: no case, no punctuation at the end."""
    return re.sub(r"\s+", " ", question.casefold()).strip().rstrip("?.! ") or question.strip()


def share_of(text: str) -> float:
    """Map a text to a fixed number in [0, 1), the same on every machine."""
    digest = hashlib.blake2s(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def expand(pattern: str) -> tuple[str, ...]:
    """Return every combination of the alternatives in braces, with tidy spaces."""
    parts = _BRACES.split(pattern)
    choices = [part.split("|") if index % 2 else [part] for index, part in enumerate(parts)]
    texts = ("".join(combination) for combination in itertools.product(*choices))
    return tuple(dict.fromkeys(re.sub(r" +([?.]?)$", r"\1", re.sub(r" {2,}", " ", text)).strip() for text in texts))


def _comparisons(line: str) -> tuple[str, ...]:
    first, second = (part.strip() for part in line.split("|"))
    return tuple(frame.format(first, second) for frame in COMPARE_FRAMES)


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]


def _add_line(intent: Intent, mark: str, rest: str) -> None:
    """Add one question line to the intent."""
    if mark == "??":
        intent.trained_lines.append(expand(rest))
    elif mark == "?":
        intent.lines.append(expand(rest))
    elif mark == "%":
        phrases = [phrase.strip() for phrase in rest.split("|")]
        intent.topics += phrases
        intent.frames += [tuple(_sentence_case(frame.format(phrase)) for frame in WHAT_FRAMES) for phrase in phrases]
    elif mark == "~":
        intent.frames.append(tuple(_sentence_case(text) for text in _comparisons(rest)))


def _answers_of(block: list[str]) -> tuple[list[str], list[str]]:
    """Split lines that begin with an answer into the answers and the lines after the first blank-separated mark."""
    answers: list[str] = []
    for position, line in enumerate(block):
        if line.startswith("= "):
            answers.append(line[2:])
        elif answers and not line.startswith("+ "):
            answers[-1] += "\n" + line
        else:
            return answers, block[position:]
    return answers, []


def _parse_block(intent_id: str, category: str, block: list[str]) -> Intent:
    """Turn the lines of one block into an intent."""
    intent = Intent(intent_id, category)
    start = next(index for index, line in enumerate(block) if line.startswith("= "))
    for line in block[:start]:
        if line.strip():
            mark, text = line.split(" ", 1)
            _add_line(intent, mark, text.strip())
    intent.answers, rest = _answers_of(block[start:])
    while rest:
        questions = tuple(part.strip() for part in rest[0][2:].split("|"))
        answers, rest = _answers_of(rest[1:])
        intent.follow_ups.append(FollowUp(questions, tuple(text.strip() for text in answers)))
    intent.answers = [text.strip() for text in intent.answers]
    return intent


def read_file(path: Path) -> Iterator[Intent]:
    """Yield the intents of one corpus file."""
    intent_id, block = "", list[str]()
    for line in [*path.read_text(encoding="utf-8").splitlines(), "@ end"]:
        if line.startswith("@ "):
            if intent_id:
                yield _parse_block(intent_id, path.stem, block)
            intent_id, block = line[2:].strip(), []
        elif not line.startswith("//"):
            block.append(line)


def read_corpus(folder: Path) -> dict[str, Intent]:
    """Read all corpus files and resolve references between answers.

    Raises:
        ValueError: if two intents share an id.
    """
    intents: dict[str, Intent] = {}
    for path in sorted(folder.glob("*.txt")):
        for intent in read_file(path):
            if intent.id in intents:
                raise ValueError(f"intent {intent.id} is written twice")
            intents[intent.id] = intent
    for intent in intents.values():
        intent.follow_ups = [_resolved(follow_up, intents) for follow_up in intent.follow_ups]
    return intents


def _resolved(follow_up: FollowUp, intents: dict[str, Intent]) -> FollowUp:
    """Replace an answer such as "@kv.size" by the answers of that intent."""
    if not follow_up.answers[0].startswith("@"):
        return follow_up
    return FollowUp(follow_up.questions, tuple(intents[follow_up.answers[0][1:]].answers))


def _owners(intents: dict[str, Intent]) -> dict[str, str]:
    """Map every normalized wording to the first intent that has it; hand-written lines go before frames."""
    owners: dict[str, str] = {}
    for source in ("lines", "trained_lines", "frames"):
        for intent in intents.values():
            for group in getattr(intent, source):
                for question in group:
                    owners.setdefault(normalized(question), intent.id)
    return owners


def _held_out(intent: Intent) -> tuple[set[str], set[str]]:
    """Choose the wordings of an intent that stay unseen: those of lines, and those of frames."""
    framed = {q for g in intent.frames for q in g if share_of("frame/" + q) < HELD_OUT_FRAME_SHARE}
    if intent.id.startswith("oos."):
        lined = {q for g in intent.lines for q in g if share_of("expansion/" + q) < HELD_OUT_EXPANSION_SHARE}
    elif len(intent.lines) >= MIN_LINES_TO_HOLD_OUT and share_of("intent/" + intent.id) < HELD_OUT_LINE_SHARE:
        lined = set(intent.lines[int(share_of("line/" + intent.id) * len(intent.lines))])
        if intent.category == "small_talk":
            lined = {question for question in lined if share_of("small/" + question) < HELD_OUT_SMALL_TALK_SHARE}
    else:
        lined = set()
    return lined, framed


def split_corpus(intents: dict[str, Intent]) -> list[SplitIntent]:
    """Divide every intent into training wordings and held-out wordings; no normalized wording is in both."""
    owners = _owners(intents)
    result = []
    for intent in intents.values():
        lined, framed = _held_out(intent)
        unseen = {normalized(question) for question in lined | framed}

        def mine(question: str, intent_id: str = intent.id) -> bool:
            return owners[normalized(question)] == intent_id

        sources = intent.lines + intent.trained_lines + intent.frames
        groups = [tuple(q for q in g if mine(q) and normalized(q) not in unseen) for g in sources]
        lines = tuple(sorted(filter(mine, lined)))
        frames = tuple(sorted(filter(mine, framed - lined)))
        result.append(SplitIntent(intent, tuple(group for group in groups if group), lines, frames))
    return result
