"""Make questions look as people type them: other words for the same thing, missing words, case, politeness, typos.

A model this small knows no synonyms and no grammar. Varying the words that do not matter makes it listen to those that
do, which is what lets it understand a wording it never saw.
"""

from __future__ import annotations

import random
import re

# Groups of words that may replace each other in a question without changing its answer.
EXCHANGEABLE = (
    ("how do i", "how can i", "how to", "how would i", "what is the way to", "how should i", "tell me how to"),
    ("how does", "in what way does", "tell me how"),
    ("why is", "how come", "what is the reason that", "why's", "for what reason is"),
    ("why does", "how come", "for what reason does", "why would"),
    ("why do", "how come", "for what reason do", "why would"),
    ("what is", "what's", "whats", "what exactly is", "tell me what is", "do you know what is"),
    ("what does", "tell me what", "what exactly does"),
    ("can i", "may i", "could i", "am i able to", "is it possible to"),
    ("where are", "where can i find", "where do i find"),
    ("where is", "where can i find", "where do i find"),
    ("show me", "give me", "print", "display"),
    ("explain", "describe", "tell me about", "clarify"),
    ("choose", "pick", "select"),
    ("big", "large"),
    ("bigger", "larger"),
    ("fast", "quick", "speedy"),
    ("slow", "sluggish"),
    ("faster", "quicker"),
    ("the model", "a model", "an llm", "the llm", "the ai"),
    ("memory", "ram"),
    ("reply", "answer", "response"),
    ("need", "require", "use", "take"),
    ("needs", "requires", "takes"),
    ("compute", "calculate", "work out"),
    ("happens", "goes on"),
    ("happen", "occur"),
    ("begin", "start"),
    ("stop", "end"),
    ("delete", "remove", "erase"),
    ("machine", "computer", "pc", "device"),
    ("laptop", "notebook"),
    ("chats", "conversations"),
    ("chat", "conversation"),
    ("good", "ok", "fine", "nice"),
    ("better", "nicer"),
    ("mean", "stand for"),
    ("tokens per second", "tok/s", "tps"),
    ("time to first token", "ttft"),
    ("kv cache", "key-value cache", "kv-cache"),
    ("stored", "saved", "kept"),
    ("quantization", "quantisation"),
    ("quantized", "quantised"),
    ("use", "run", "utilize"),
    ("app", "program", "application"),
    ("difference", "distinction"),
)
OPENINGS = (
    "please {}",
    "hey, {}",
    "hi! {}",
    "so, {}",
    "ok. {}",
    "i wonder, {}",
    "quick question: {}",
    "can you tell me, {}",
    "tell me: {}",
    "one more question: {}",
    "and {}",
    "i want to know {}",
    "{} please",
    "{}, please",
    "{} thanks",
    "{} exactly",
)
# fmt: off
MINOR_WORDS = frozenset((
    "a", "an", "the", "is", "are", "do", "does", "did", "to", "of", "for", "in", "on", "with", "my", "your", "me",
    "you", "i", "it", "this", "that", "there", "be", "can", "so", "at", "please", "exactly",
))
# fmt: on
LOWER, UPPER, NO_PUNCTUATION, TYPO = 0.30, 0.015, 0.25, 0.07
EXCHANGE, OPENING, DROP = 0.45, 0.12, 0.25


def _found(expression: str, question: str) -> bool:
    """Return whether whole words of the question match the expression, in any case."""
    return re.search(rf"\b{re.escape(expression)}\b", question, re.IGNORECASE) is not None


def _exchanged(question: str, rng: random.Random) -> str:
    """Replace one or two expressions by others with the same meaning."""
    groups = [group for group in EXCHANGEABLE if any(_found(expression, question) for expression in group)]
    for group in rng.sample(groups, min(len(groups), rng.randint(1, 2))):
        for expression in group:
            if _found(expression, question):
                pattern = rf"\b{re.escape(expression)}\b"
                question = re.sub(pattern, rng.choice(group), question, count=1, flags=re.IGNORECASE)
                break
    return question[:1].upper() + question[1:]


def _thinned(question: str, rng: random.Random) -> str:
    """Drop words that carry little, as in "how big KV cache 8B model"."""
    words = question.split()
    kept = [word for word in words if word.lower().strip("?.,!") not in MINOR_WORDS or rng.random() < 0.5]
    if len(words) > 4 and len(kept) > 2 and rng.random() < 0.3:
        kept.pop(rng.randrange(len(kept)))
    return " ".join(kept) if len(kept) > 1 else question


def _with_typo(question: str, rng: random.Random) -> str:
    """Drop, swap or double one letter."""
    at = rng.randrange(1, len(question) - 2)
    kind = rng.randrange(3)
    if kind == 0:
        return question[:at] + question[at + 1 :]
    if kind == 1:
        return question[:at] + question[at + 1] + question[at] + question[at + 2 :]
    return question[:at] + question[at] + question[at:]


def reworded(question: str, rng: random.Random) -> str:
    """Change words of a question, but not what it asks."""
    if rng.random() < EXCHANGE:
        question = _exchanged(question, rng)
    if rng.random() < DROP:
        question = _thinned(question, rng)
    if rng.random() < OPENING:
        question = rng.choice(OPENINGS).format(question[:1].lower() + question[1:])
        question = question[:1].upper() + question[1:] if rng.random() < 0.5 else question
    return question


def typed(question: str, rng: random.Random) -> str:
    """Change how a question is typed: case, punctuation, a typo."""
    if rng.random() < LOWER:
        question = question.lower()
    elif rng.random() < UPPER:
        question = question.upper()
    if rng.random() < NO_PUNCTUATION:
        question = question.rstrip("?.!") or question
    if rng.random() < TYPO and len(question) > 8 and not any(sign.isdigit() for sign in question):
        question = _with_typo(question, rng)
    return question
