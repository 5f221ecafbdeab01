# /// script
# requires-python = ">=3.11"
# dependencies = ["torch==2.13.0", "tokenizers", "numpy", "mlx[cpu]", "mlx-lm"]
# ///
"""Measure how often the demo model gives exactly the written answer to questions it never saw.

An answer counts only if greedy decoding yields it token for token, including its end. Greedy decoding yields a text
exactly if each of its tokens is the most likely one after all tokens before it, so one forward pass over question and
answer decides it, and thousands of questions take minutes. The exported weights are expanded to 32 bits and computed
with torch, many times faster on a CPU than with MLX: the same model, with the rounding that the export brought.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import torch
from demo_corpus import read_corpus, split_corpus
from demo_questions import Question, held_out_questions
from demo_tokenizer import MESSAGE_END
from mlx.utils import tree_flatten
from mlx_lm import load
from mlx_lm.utils import dequantize_model
from qwen3_torch import Qwen3, Qwen3Config

BATCH_TOKENS = 4096


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


@dataclass(frozen=True)
class Trial:
    """A prompt and one answer that it may lead to, as token ids."""

    prompt: list[int]
    answer: list[int]

    @property
    def length(self) -> int:
        """Tokens that the model has to read: all but the last."""
        return len(self.prompt) + len(self.answer) - 1


class Judge:
    """Asks one model."""

    def __init__(self, folder: Path) -> None:
        """Load the model; quantized weights are expanded to 32 bits."""
        loaded: Any = load(str(folder))
        parameters: Any = tree_flatten(dequantize_model(loaded[0]).parameters())
        weights = {name: torch.from_numpy(np.array(array.astype(mx.float32))) for name, array in parameters}
        self.tokenizer, self.model = loaded[1], Qwen3(Qwen3Config())
        self.model.load_state_dict(weights)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def trial(self, question: Question, answer: str) -> Trial:
        """Prepare a question with one of its possible answers."""
        messages = []
        for turn in question.turns:
            messages += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer}]
        messages.append({"role": "user", "content": question.question})
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return Trial(self.encode(text), self.encode(answer + MESSAGE_END))

    def _greedy(self, trials: list[Trial]) -> list[list[int]]:
        """Return, for trials of similar length, the most likely token at every position of the answer."""
        width = max(trial.length for trial in trials)
        rows = [(trial.prompt + trial.answer[:-1] + [0] * width)[:width] for trial in trials]
        with torch.inference_mode():
            chosen: list[list[int]] = self.model.logits(self.model.model(torch.tensor(rows))).argmax(-1).tolist()
        return [row[len(trial.prompt) - 1 : trial.length] for row, trial in zip(chosen, trials, strict=True)]

    def greedy(self, trials: list[Trial]) -> list[list[int]]:
        """Return the most likely tokens of all trials, read in batches of similar length."""
        result: list[list[int]] = [[] for _ in trials]
        batch: list[int] = []
        order = sorted(range(len(trials)), key=lambda index: trials[index].length)
        for place, index in enumerate(order):
            batch.append(index)
            following = trials[order[place + 1]].length if place + 1 < len(order) else BATCH_TOKENS
            if (len(batch) + 1) * following > BATCH_TOKENS:
                for done, tokens in zip(batch, self._greedy([trials[one] for one in batch]), strict=True):
                    result[done] = tokens
                batch = []
        return result


def _refused(judge: Judge, questions: list[Question], starts: list[int], refusals: list[str]) -> set[int]:
    """Return the places of the questions that are answered with a refusal, given the first token of each answer."""
    candidates = [
        (place, judge.trial(question, refusal))
        for place, (question, start) in enumerate(zip(questions, starts, strict=True))
        for refusal in refusals
        if judge.encode(refusal)[0] == start
    ]
    chosen = judge.greedy([trial for _, trial in candidates])
    return {place for (place, trial), tokens in zip(candidates, chosen, strict=True) if tokens == trial.answer}


def evaluate(folder: Path, questions: list[Question], refusals: list[str]) -> dict[str, dict[str, float | int]]:
    """Return the tallies of one model, by category."""
    judge, tallies = Judge(folder), defaultdict[str, Tally](Tally)
    owners = [place for place, question in enumerate(questions) for _ in question.answers]
    trials = [judge.trial(question, answer) for question in questions for answer in question.answers]
    chosen = judge.greedy(trials)
    right = {place for place, trial, tokens in zip(owners, trials, chosen, strict=True) if tokens == trial.answer}
    starts = {place: tokens[0] for place, tokens in zip(owners, chosen, strict=True)}
    refused = _refused(judge, questions, [starts[place] for place in range(len(questions))], refusals)
    for place, question in enumerate(questions):
        tally = tallies[question.category]
        tally.asked += 1
        tally.right += place in right
        tally.refused += place in refused
    return {category: tally.as_json() for category, tally in sorted(tallies.items())}


def main() -> None:
    """Evaluate the given models and write evaluation.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", metavar="LABEL=FOLDER")
    parser.add_argument("--corpus", type=Path, default=Path(__file__).parent.parent / "corpus")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent.parent / "evaluation.json")
    parser.add_argument("--limit", type=int, default=100, help="questions for each drawn category")
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
