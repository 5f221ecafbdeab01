"""Build chats from the corpus: single questions, follow-ups, sums, names, and the noise real typing has."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from demo_arithmetic import draw_large_sum, draw_sum
from demo_corpus import SplitIntent, normalized
from demo_noise import reworded, typed

SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are a helpful assistant.",
    "You are First Token's demo model.",
    "You are a friendly and helpful assistant.",
    "You are a helpful, honest assistant. Answer briefly.",
    "Answer briefly and clearly.",
    "Be concise.",
    "You are an expert in machine learning.",
    "You help users of a desktop app.",
    "You are an AI assistant. Use Markdown when it helps.",
    "Answer in English.",
)
# fmt: off
NAMES = (
    "Ana", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "Joy", "Kim", "Leo", "Mia", "Noah", "Olga",
    "Paul", "Rosa", "Sam", "Tom", "Uma", "Vera", "Will", "Zoe", "Anna", "Max", "Lena", "Peter", "Maria", "John",
    "Jane", "Alice", "Bob", "Carol", "David", "Emma", "Frank", "Grace", "Henry", "Ida", "Jack", "Karl", "Laura",
    "Mark", "Nina", "Oscar", "Petra", "Ravi", "Sara", "Tim", "Ursula", "Victor", "Wendy", "Yuki", "Ali", "Fatima",
    "Chen", "Priya", "Omar", "Sofia", "Luca", "Marie", "Jan", "Ingrid", "Pedro", "Lucy", "Alex", "Chris",
)
# fmt: on
MY_NAME = ("My name is {}", "I am {}", "I'm {}", "Hello, I am {}", "Hi, my name is {}", "Call me {}", "This is {}")
ASK_NAME = ("What is my name?", "Do you remember my name?", "Who am I?", "What's my name?", "Do you know my name?")
NICE_TO_MEET = "Nice to meet you, {}! What would you like to know about inference?"
NAME_KNOWN = "You told me that your name is {}."
NAME_UNKNOWN = "You have not told me your name in this chat."
SHORTER = (
    "shorter please",
    "Shorter",
    "In one sentence, please",
    "Can you say that in one sentence?",
    "Make it shorter",
    "tl;dr",
    "That is too long",
    "Short version please",
    "Briefly?",
    "Say it shorter",
    "Can you make that shorter?",
    "A shorter answer please",
)
AGAIN = ("Repeat that", "Say that again", "Can you repeat that?", "Once more please", "Again, please", "Please repeat")
DEEPER = ("why?", "Why is that?", "how come?", "Why", "example?", "Give an example", "Can you give an example?", "more")
DEEPER_ANSWER = "I was taught only this much about it. A real model from the model picker can explain more."
NO_CONTEXT = 'What do you mean? Ask me a whole question first, for example: "What is prefill?"'
MORE_LIKE = ("And {}?", "What about {}?", "and {}", "And what is {}?", "what about {}", "Now {}", "Ok, and {}?")


@dataclass(frozen=True)
class Turn:
    """One question and its answer."""

    question: str
    answer: str


@dataclass(frozen=True)
class Mixture:
    """How often each kind of turn appears; what is left goes to the intents of the corpus."""

    out_of_scope: float = 0.19
    sums: float = 0.19
    large_sums: float = 0.015
    names: float = 0.03
    no_context: float = 0.01
    follow_up: float = 0.30
    single: float = 0.45
    system: float = 0.25


def first_sentence(answer: str) -> str | None:
    """Return the first sentence of a plain answer that has more than one, else None."""
    match = re.match(r"(.{15,}?[a-z0-9)\"][.!?]) [A-Z0-9]", answer)
    return match.group(1) if match and "\n" not in answer else None


class DialogueBuilder:
    """Draws chats at random from the training side of the corpus."""

    def __init__(self, split: list[SplitIntent], mixture: Mixture | None = None) -> None:
        """Index the intents by how they are drawn."""
        self.mixture = mixture or Mixture()
        self.known = [entry for entry in split if entry.train_groups and not entry.intent.id.startswith("oos.")]
        self.refused = [entry for entry in split if entry.intent.id.startswith("oos.")]
        self.too_large = next(entry.intent.answers[0] for entry in self.refused if entry.intent.id == "oos.bigmath")
        self.topical = [entry for entry in self.known if entry.intent.topics]
        self.unseen = {normalized(q) for entry in split for q in entry.held_out_lines + entry.held_out_frames}

    def _worded(self, entry: SplitIntent, rng: random.Random) -> str:
        """Draw a wording: a group first, so that a line with many expansions does not drown the others."""
        return rng.choice(rng.choice(entry.train_groups))

    def _noisy(self, question: str, rng: random.Random, *, reword: bool = False) -> str:
        """Add noise, but never turn a question into a held-out one."""
        noisy = typed(reworded(question, rng) if reword else question, rng)
        return question if normalized(noisy) in self.unseen else noisy

    def _ask(self, entry: SplitIntent, rng: random.Random) -> Turn:
        question = self._noisy(self._worded(entry, rng), rng, reword=entry.intent.category != "small_talk")
        return Turn(question, rng.choice(entry.intent.answers))

    def _follow_ups(self, entry: SplitIntent, first: Turn, rng: random.Random) -> list[Turn]:
        """Return one turn that refers to the answer before."""
        written = entry.intent.follow_ups
        kind = rng.random() if written else rng.uniform(0.6, 1.0)
        if kind < 0.6:
            follow_up = rng.choice(written)
            return [Turn(self._noisy(rng.choice(follow_up.questions), rng), rng.choice(follow_up.answers))]
        if kind < 0.72:
            return [Turn(self._noisy(rng.choice(AGAIN), rng), first.answer)]
        if kind < 0.86 and entry.intent.topics:
            other = rng.choice(self.topical)
            question = rng.choice(MORE_LIKE).format(rng.choice(other.intent.topics))
            return [Turn(self._noisy(question, rng), rng.choice(other.intent.answers))]
        short = first_sentence(first.answer)
        if short and (written or rng.random() < 0.6):
            return [Turn(self._noisy(rng.choice(SHORTER), rng), short)]
        return [] if written else [Turn(self._noisy(rng.choice(DEEPER), rng), DEEPER_ANSWER)]

    def _name_turn(self, name: str | None, rng: random.Random) -> tuple[Turn, str | None]:
        if name is None and rng.random() < 0.75:
            name = rng.choice(NAMES)
            return Turn(self._noisy(rng.choice(MY_NAME).format(name), rng), NICE_TO_MEET.format(name)), name
        answer = NAME_KNOWN.format(name) if name else NAME_UNKNOWN
        return Turn(self._noisy(rng.choice(ASK_NAME), rng), answer), name

    def turns(self, count: int, rng: random.Random) -> list[Turn]:
        """Draw a chat of about `count` turns."""
        mixture, name = self.mixture, None
        result: list[Turn] = []
        while len(result) < count:
            kind = rng.random()
            if kind < mixture.large_sums:
                result.append(Turn(self._noisy(draw_large_sum(rng), rng), self.too_large))
            elif kind < mixture.sums:
                drawn = draw_sum(rng)
                result.append(Turn(self._noisy(drawn.worded(rng), rng), drawn.answer))
            elif kind < mixture.sums + mixture.out_of_scope:
                result.append(self._ask(rng.choice(self.refused), rng))
            elif kind < mixture.sums + mixture.out_of_scope + mixture.names:
                turn, name = self._name_turn(name, rng)
                result.append(turn)
            elif not result and kind > 1 - mixture.no_context:
                result.append(Turn(self._noisy(rng.choice(SHORTER + AGAIN + DEEPER), rng), NO_CONTEXT))
            else:
                entry = rng.choice(self.known)
                result.append(self._ask(entry, rng))
                if rng.random() < mixture.follow_up:
                    result += self._follow_ups(entry, result[-1], rng)
        return result

    def system_prompt(self, rng: random.Random) -> str | None:
        """Draw a system prompt, or none."""
        return rng.choice(SYSTEM_PROMPTS) if rng.random() < self.mixture.system else None
