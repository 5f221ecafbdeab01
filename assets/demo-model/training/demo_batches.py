"""Turn chats into rows of token ids with a weight for every token: what the model is trained to write, and how much.

Only answers are trained. The beginning of an answer counts more than the rest, because it decides which answer is
given; once it has begun, a learned answer goes on almost by itself. For the same reason most answers can be cut short
in a part of the training, which leaves room for more questions; the end of a cut answer is not trained.
"""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
from demo_dialogues import DialogueBuilder, Turn
from demo_tokenizer import END_OF_TEXT, MESSAGE_END, MESSAGE_START
from numpy.typing import NDArray
from tokenizers import Tokenizer

MORE_TURNS = 8
BEGINNING_TOKENS, BEGINNING_WEIGHT = 12, 4.0
WHOLE_ANSWER_SHARE = 0.2
CACHED_MESSAGES = 50_000


class RowBuilder:
    """Packs chats into rows of a fixed length; the same step always gives the same rows."""

    def __init__(self, dialogues: DialogueBuilder, tokenizer: Tokenizer, seed: int) -> None:
        """Remember the parts."""
        self.dialogues, self.seed = dialogues, seed
        self.encode = lru_cache(CACHED_MESSAGES)(lambda text: tuple(tokenizer.encode(text).ids))
        vocabulary = tokenizer.get_vocab()
        self.start, self.end = vocabulary[MESSAGE_START], vocabulary[MESSAGE_END]
        self.separator = vocabulary[END_OF_TEXT]

    def _message(self, role: str, text: str, cut: int | None) -> tuple[list[int], list[float]]:
        """Encode one message as the chat template writes it; only an answer and its end are trained."""
        head = [self.start, *self.encode(role + "\n")]
        body = [*self.encode(text), self.end]
        tail = self.encode("\n")
        if role == "assistant" and cut and len(body) > cut:
            body, tail = body[:cut], (self.end, *tail)
        weights = [0.0] * len(body)
        if role == "assistant":
            weights = [BEGINNING_WEIGHT if index < BEGINNING_TOKENS else 1.0 for index in range(len(body))]
        return [*head, *body, *tail], [0.0] * len(head) + weights + [0.0] * len(tail)

    def _chat(self, turns: list[Turn], system: str | None, cuts: list[int | None]) -> tuple[list[int], list[float]]:
        messages: list[tuple[str, str, int | None]] = [("system", system, None)] if system else []
        for turn, cut in zip(turns, cuts, strict=True):
            messages += [("user", turn.question, None), ("assistant", turn.answer, cut)]
        ids, weights = list[int](), list[float]()
        for role, text, cut in messages:
            more_ids, more_weights = self._message(role, text, cut)
            ids += more_ids
            weights += more_weights
        return [*ids, self.separator], [*weights, 0.0]

    def _row(self, length: int, cut: int | None, rng: random.Random) -> tuple[list[int], list[float]]:
        """Fill a row with whole chats; the last one is cut at the end of the row."""
        ids, weights = list[int](), list[float]()
        while len(ids) < length:
            if rng.random() < min(0.5, length / 2048):
                count = length // 60
            elif rng.random() < self.dialogues.mixture.single:
                count = 1
            else:
                count = rng.randint(2, MORE_TURNS)
            turns = self.dialogues.turns(count, rng)
            cuts = [None if rng.random() < WHOLE_ANSWER_SHARE else cut for _ in turns]
            more_ids, more_weights = self._chat(turns, self.dialogues.system_prompt(rng), cuts)
            ids += more_ids
            weights += more_weights
        return ids[:length], weights[:length]

    def batch(
        self, step: int, rows: int, length: int, cut: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return token ids and weights, both of shape (rows, length + 1)."""
        rng = random.Random(f"{self.seed}/{step}")
        drawn = [self._row(length + 1, cut, rng) for _ in range(rows)]
        ids = np.array([row_ids for row_ids, _ in drawn], dtype=np.int64)
        return ids, np.array([row_weights for _, row_weights in drawn], dtype=np.float32)
