"""Turn chats into rows of token ids with a mask that marks what the model is trained to write."""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
from demo_dialogues import DialogueBuilder, Turn
from demo_tokenizer import END_OF_TEXT, MESSAGE_END, MESSAGE_START
from numpy.typing import NDArray
from tokenizers import Tokenizer

MORE_TURNS = 8
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

    def _message(self, role: str, text: str) -> tuple[list[int], list[bool]]:
        """Encode one message as the chat template writes it; only an answer and its end are trained."""
        head = [self.start, *self.encode(role + "\n")]
        body = [*self.encode(text), self.end]
        trained = role == "assistant"
        tail = self.encode("\n")
        return [*head, *body, *tail], [False] * len(head) + [trained] * len(body) + [False] * len(tail)

    def _chat(self, turns: list[Turn], system: str | None) -> tuple[list[int], list[bool]]:
        messages = [("system", system)] if system else []
        for turn in turns:
            messages += [("user", turn.question), ("assistant", turn.answer)]
        ids, mask = list[int](), list[bool]()
        for role, text in messages:
            more_ids, more_mask = self._message(role, text)
            ids += more_ids
            mask += more_mask
        return [*ids, self.separator], [*mask, False]

    def _row(self, length: int, rng: random.Random) -> tuple[list[int], list[bool]]:
        """Fill a row with whole chats; the last one is cut at the end of the row."""
        ids, mask = list[int](), list[bool]()
        while len(ids) < length:
            if rng.random() < min(0.5, length / 2048):
                count = length // 60
            elif rng.random() < self.dialogues.mixture.single:
                count = 1
            else:
                count = rng.randint(2, MORE_TURNS)
            more_ids, more_mask = self._chat(self.dialogues.turns(count, rng), self.dialogues.system_prompt(rng))
            ids += more_ids
            mask += more_mask
        return ids[:length], mask[:length]

    def batch(self, step: int, rows: int, length: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return token ids and mask, both of shape (rows, length + 1)."""
        rng = random.Random(f"{self.seed}/{step}")
        drawn = [self._row(length + 1, rng) for _ in range(rows)]
        ids = np.array([row_ids for row_ids, _ in drawn], dtype=np.int64)
        return ids, np.array([row_mask for _, row_mask in drawn], dtype=np.bool_)
