"""The held-out questions: what the model is asked when it is measured, and which answers count as right."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from demo_arithmetic import Sum, draw_sum
from demo_corpus import SplitIntent
from demo_dialogues import SHORTER, DialogueBuilder, Turn, first_sentence
from demo_noise import typed

SEED = 99
NAMES_OF_SIGNS = {"+": "arithmetic: addition", "-": "arithmetic: subtraction", "×": "arithmetic: multiplication"}
LATE_TOKENS = 1500
TOKENS_PER_TURN = 60
KNOWN_WORDINGS, SMALL_TALK_WORDINGS = 2, 3
CARELESS_SHARE, FRAME_SHARE, SHORTER_SHARE = 0.6, 0.5, 0.15


@dataclass(frozen=True)
class Question:
    """One chat that ends with a question, and the answers that are right."""

    category: str
    turns: tuple[Turn, ...]
    question: str
    answers: tuple[str, ...]


def _wordings(split: list[SplitIntent], rng: random.Random) -> Iterator[Question]:
    """Yield held-out wordings of everything the model knows, some of them as if typed in a hurry."""
    for entry in split:
        answers, lines, frames = tuple(entry.intent.answers), entry.held_out_lines, entry.held_out_frames
        if entry.intent.id.startswith("oos."):
            continue
        if entry.intent.category == "small_talk":
            for question in rng.sample(lines, min(SMALL_TALK_WORDINGS, len(lines))):
                yield Question("small talk: new wording", (), question, answers)
        elif lines:
            for question in rng.sample(lines, min(KNOWN_WORDINGS, len(lines))):
                yield Question("known topics: new wording", (), question, answers)
            if rng.random() < CARELESS_SHARE:
                careless = typed(rng.choice(lines).lower(), rng)
                yield Question("known topics: new wording, typed carelessly", (), careless, answers)
        if frames and rng.random() < FRAME_SHARE:
            yield Question("known topics: new frame", (), rng.choice(frames), answers)


def _refusals(split: list[SplitIntent], rng: random.Random, limit: int) -> Iterator[Question]:
    """Yield out-of-scope questions that were never seen; each class of them has its own answer."""
    pool = [
        (entry, question) for entry in split if entry.intent.id.startswith("oos.") for question in entry.held_out_lines
    ]
    by_class: dict[str, list[str]] = {}
    for entry, question in pool:
        by_class.setdefault(entry.intent.id, []).append(question)
    answers = {entry.intent.id: tuple(entry.intent.answers) for entry, _ in pool}
    for name, questions in by_class.items():
        for question in rng.sample(questions, min(len(questions), limit // len(by_class))):
            yield Question("out of scope", (), question, answers[name])


def _sums(rng: random.Random, limit: int) -> Iterator[Question]:
    """Yield sums whose operands were never seen together in this order."""
    drawn: dict[Sum, None] = {}
    counts = dict.fromkeys(NAMES_OF_SIGNS, 0)
    for _ in range(200 * limit):
        candidate = draw_sum(rng, held_out=True)
        if candidate not in drawn and counts[candidate.sign] < limit:
            drawn[candidate] = None
            counts[candidate.sign] += 1
    for drawn_sum in drawn:
        yield Question(NAMES_OF_SIGNS[drawn_sum.sign], (), drawn_sum.worded(rng), (drawn_sum.answer,))


def _follow_ups(split: list[SplitIntent], rng: random.Random) -> Iterator[Question]:
    """Yield follow-ups after a question in a held-out wording."""
    for entry in split:
        unseen = entry.held_out_lines + entry.held_out_frames
        if not unseen or entry.intent.id.startswith("oos."):
            continue
        first = Turn(rng.choice(unseen), entry.intent.answers[0])
        for follow_up in entry.intent.follow_ups:
            yield Question("follow-up", (first,), rng.choice(follow_up.questions), follow_up.answers)
        short = first_sentence(first.answer)
        if short and rng.random() < SHORTER_SHARE:
            yield Question('follow-up: "shorter"', (first,), rng.choice(SHORTER), (short,))


def _late(split: list[SplitIntent], rng: random.Random, limit: int) -> Iterator[Question]:
    """Yield held-out wordings that are asked at the end of a long chat."""
    dialogues = DialogueBuilder(split)
    for question in rng.sample([q for q in _wordings(split, rng) if q.category == "known topics: new wording"], limit):
        turns = tuple(dialogues.turns(LATE_TOKENS // TOKENS_PER_TURN, rng))
        yield Question("known topics: late in a long chat", turns, question.question, question.answers)
        yield Question("known topics: the same as first question", (), question.question, question.answers)


def held_out_questions(split: list[SplitIntent], limit: int) -> list[Question]:
    """Return all held-out questions, at most `limit` for each drawn category; always the same ones."""
    rng = random.Random(SEED)
    return [
        *_wordings(split, rng),
        *_refusals(split, rng, limit),
        *_sums(rng, limit // 2),
        *_follow_ups(split, rng),
        *_late(split, rng, limit // 7),
    ]
