"""Small sums: which ones exist, which are held out, and how they are worded."""

from __future__ import annotations

import random
from dataclasses import dataclass

from demo_corpus import share_of

HELD_OUT_SHARE = 0.10
LARGEST_TERM = 20
LARGEST_FACTOR = 10
WORDINGS = {
    "+": (
        "What is {a} + {b}?",
        "{a} + {b}",
        "{a}+{b}",
        "{a} + {b} = ?",
        "{a}+{b}=",
        "What is {a} plus {b}?",
        "How much is {a} + {b}?",
        "Calculate {a} + {b}",
        "Add {a} and {b}",
        "What is the sum of {a} and {b}?",
        "{a} plus {b}",
        "What's {a} + {b}?",
    ),
    "-": (
        "What is {a} - {b}?",
        "{a} - {b}",
        "{a}-{b}",
        "{a} - {b} = ?",
        "{a}-{b}=",
        "What is {a} minus {b}?",
        "How much is {a} - {b}?",
        "Calculate {a} - {b}",
        "Subtract {b} from {a}",
        "{a} minus {b}",
        "What's {a} - {b}?",
    ),
    "×": (
        "What is {a} × {b}?",
        "{a} × {b}",
        "{a} * {b}",
        "{a}*{b}",
        "{a} x {b}",
        "What is {a} times {b}?",
        "How much is {a} times {b}?",
        "Calculate {a} * {b}",
        "Multiply {a} by {b}",
        "What is the product of {a} and {b}?",
        "{a} times {b}",
        "What's {a} x {b}?",
    ),
}


@dataclass(frozen=True)
class Sum:
    """Two small numbers and a sign."""

    a: int
    sign: str
    b: int

    @property
    def held_out(self) -> bool:
        """Whether this ordered pair stays out of training in every wording."""
        return share_of(f"sum/{self.a}{self.sign}{self.b}") < HELD_OUT_SHARE

    @property
    def answer(self) -> str:
        """The full equation, which also repeats the question and so helps a small model."""
        value = {"+": self.a + self.b, "-": self.a - self.b, "×": self.a * self.b}[self.sign]
        return f"{self.a} {self.sign} {self.b} = {value}."

    def worded(self, rng: random.Random) -> str:
        """Return the sum as a question."""
        return rng.choice(WORDINGS[self.sign]).format(a=self.a, b=self.b)


def _random_sum(rng: random.Random) -> Sum:
    """Draw a sum; half of the additions and subtractions have small terms."""
    sign = rng.choice("++--×")
    if sign == "×":
        return Sum(rng.randint(0, LARGEST_FACTOR), sign, rng.randint(0, LARGEST_FACTOR))
    largest = rng.choice((10, LARGEST_TERM))
    a, b = rng.randint(0, largest), rng.randint(0, largest)
    if sign == "-" and rng.random() < 0.85:
        a, b = max(a, b), min(a, b)
    return Sum(a, sign, b)


def draw_sum(rng: random.Random, *, held_out: bool = False) -> Sum:
    """Draw a sum from the training pairs, or from the held-out ones."""
    while True:
        candidate = _random_sum(rng)
        if candidate.held_out == held_out:
            return candidate


def draw_large_sum(rng: random.Random) -> str:
    """Draw a sum beyond what the model is taught, to be refused."""
    sign = rng.choice("+-×")
    large = rng.randint(LARGEST_TERM + 5, rng.choice((99, 999)))
    other = rng.randint(2, rng.choice((20, 99, 999)))
    return Sum(*rng.choice(((large, sign, other), (large, sign, large), (other + 10, sign, large)))).worded(rng)
