"""Measure how often the demo model gives exactly the written answer to questions it never saw.

An answer counts only if greedy decoding yields it token for token, including its end. Greedy decoding yields a text
exactly if each of its tokens is the most likely one after all tokens before it, so one forward pass over question and
answer decides it, and thousands of questions take minutes.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
from demo_corpus import read_corpus, split_corpus
from demo_questions import Question, held_out_questions
from demo_tokenizer import MESSAGE_END
from mlx_lm import load


@dataclass
class Tally:
    """Right answers and refusals in one category."""

    asked: int = 0
    right: int = 0
    refused: int = 0

    def as_json(self) -> dict[str, float | int]:
        """Return the counts with the share of right answers."""
        return {
            "questions": self.asked,
            "exact": self.right,
            "exact_share": round(self.right / self.asked, 4),
            "refused_share": round(self.refused / self.asked, 4),
        }


class Judge:
    """Asks one model."""

    def __init__(self, folder: Path) -> None:
        """Load the model."""
        loaded: Any = load(str(folder))
        self.model, self.tokenizer = loaded[0], loaded[1]

    def _prompt(self, question: Question) -> list[int]:
        messages = []
        for turn in question.turns:
            messages += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer}]
        messages.append({"role": "user", "content": question.question})
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def says(self, prompt: list[int], answer: str) -> bool:
        """Return whether greedy decoding after the prompt gives exactly this answer."""
        expected = self.tokenizer.encode(answer + MESSAGE_END, add_special_tokens=False)
        logits = self.model(mx.array([prompt + expected[:-1]]))
        chosen = mx.argmax(logits[0, len(prompt) - 1 :], axis=-1)
        return bool(mx.all(chosen == mx.array(expected)).item())

    def judge(self, question: Question, refusals: list[str]) -> tuple[bool, bool]:
        """Return whether the answer is right, and whether it is one of the refusals."""
        prompt = self._prompt(question)
        if any(self.says(prompt, answer) for answer in question.answers):
            return True, question.answers[0] in refusals
        return False, any(self.says(prompt, refusal) for refusal in refusals)


def evaluate(folder: Path, questions: list[Question], refusals: list[str]) -> dict[str, dict[str, float | int]]:
    """Return the tallies of one model, by category."""
    judge, tallies = Judge(folder), defaultdict[str, Tally](Tally)
    for question in questions:
        right, refused = judge.judge(question, refusals)
        tally = tallies[question.category]
        tally.asked += 1
        tally.right += right
        tally.refused += refused
    return {category: tally.as_json() for category, tally in sorted(tallies.items())}


def main() -> None:
    """Evaluate the given models and write evaluation.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", metavar="LABEL=FOLDER")
    parser.add_argument("--corpus", type=Path, default=Path(__file__).parent.parent / "corpus")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent.parent / "evaluation.json")
    parser.add_argument("--limit", type=int, default=150, help="questions for each drawn category")
    arguments = parser.parse_args()
    split = split_corpus(read_corpus(arguments.corpus))
    questions = held_out_questions(split, arguments.limit)
    refusals = [answer for entry in split if entry.intent.id.startswith("oos.") for answer in entry.intent.answers]
    results = {}
    for model in arguments.models:
        label, folder = model.split("=", 1)
        results[label] = evaluate(Path(folder), questions, refusals)
        print(label, json.dumps(results[label], indent=2), flush=True)
    arguments.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
