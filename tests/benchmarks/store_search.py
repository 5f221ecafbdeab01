"""What the chat database costs: search over many messages, reading a long chat, a commit, opening with its check.

uv run python -m tests.benchmarks.store_search --messages 10000
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from time import perf_counter

import msgspec

from runtime.store.opening import FILE_NAME, Store, open_store
from runtime.values.chat import ChatId
from runtime.values.generation import TextKind
from tests.benchmarks.interleaved import machine
from tests.runtime.store.chat_examples import STATS, add_long_chat

MESSAGES_PER_CHAT = 50
WORD_LENGTHS = (2, 3, 4, 4, 5, 6, 7, 8, 9, 11)
LETTERS = "eeeeeeeeeeeetttttttttaaaaaaaaooooooooiiiiiiinnnnnnnsssssshhhhhhrrrrrrddddlllluuucccmmmwwffggyyppbbvkjxqz"
CHINESE = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定"
)
QUERIES = {
    "a common word": "{word}",
    "a rare word": "zebrafish",
    "two words": "{word} {other}",
    "a phrase of three": '"{word} {other} {word}"',
    "inside words": "{piece}",
    "nothing": "nowhere to be found",
    "two letters, common": "th",
    "two letters, rare": "zq",
    "one letter": "e",
    "two Chinese characters": "的中",
    "four Chinese characters": "的中人大",
}


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--words", type=int, default=160, help="words in a message, on average")
    parser.add_argument("--rounds", type=int, default=20)
    return parser.parse_args()


class Corpus:
    """Messages of made-up words, as unevenly frequent as real ones; one in ten is Chinese."""

    def __init__(self, mean_words: int) -> None:
        self._random = Random(1)
        self._mean_words = mean_words
        self.words = [
            "".join(self._random.choices(LETTERS, k=self._random.choice(WORD_LENGTHS))) for _ in range(20_000)
        ]
        self._weights = [1 / rank for rank in range(1, len(self.words) + 1)]

    def message(self) -> str:
        """Return one message."""
        count = self._random.randint(self._mean_words // 4, self._mean_words * 7 // 4)
        if self._random.random() < 0.1:
            return "".join(self._random.choices(CHINESE, k=count * 2))
        return " ".join(self._random.choices(self.words, self._weights, k=count))


def filled(store: Store, corpus: Corpus, messages: int) -> int:
    """Put messages into the store, one of them a zebrafish; return how many characters they have."""
    characters = 0
    for chat in range(messages // MESSAGES_PER_CHAT):
        texts = [corpus.message() for _ in range(MESSAGES_PER_CHAT)]
        if chat == messages // MESSAGES_PER_CHAT // 2:
            texts[0] += " zebrafish"
        characters += sum(map(len, texts))
        add_long_chat(store, texts, STATS)
    return characters


def timed_ms(run: Callable[[], object], rounds: int) -> list[float]:
    """Return how long each of some runs took, after one that does not count."""
    run()
    times = []
    for _ in range(rounds):
        begun = perf_counter()
        run()
        times.append((perf_counter() - begun) * 1000)
    return times


def report(name: str, times_ms: list[float], note: str = "") -> None:
    """Print one line."""
    median, worst = statistics.median(times_ms), max(times_ms)
    sys.stdout.write(f"{name:32} median {median:8.2f} ms   worst {worst:8.2f} ms   {note}\n")


def open_and_close(file: Path) -> None:
    """Do what a start does."""
    open_store(file).store.close()


def search(store: Store, corpus: Corpus, rounds: int) -> None:
    """Measure each kind of query."""
    word, other = corpus.words[40], corpus.words[90]
    for name, pattern in QUERIES.items():
        query = pattern.format(word=word, other=other, piece=word[1:] + " " + other[:2])
        found = store.search.find(query)
        note = f"{len(found.messages)}{'+' if found.is_truncated else ''} found"
        report(f"search: {name}", timed_ms(partial(store.search.find, query), rounds), note)


def read(store: Store, chat: ChatId, rounds: int) -> None:
    """Measure reading chats."""
    count = len(store.messages.current_path(chat))
    report(f"read a chat of {count:,}", timed_ms(lambda: store.messages.current_path(chat), rounds))
    report("list all chats", timed_ms(store.chats.summaries, rounds), f"{len(store.chats.summaries())} chats")


def write(store: Store, chat: ChatId, rounds: int) -> None:
    """Measure what writing costs."""
    leaf = store.messages.current_path(chat)[-1]
    report("add a message to it", timed_ms(lambda: store.messages.add_user(chat, leaf.id, "one more"), rounds))
    writer = store.replies.begin(chat, leaf.id, model="demo", quantization=None)

    def half_a_second() -> None:
        for _ in range(100):
            writer.append("token ", TextKind.ANSWER)
        writer.flush()

    report("commit 100 tokens", timed_ms(half_a_second, rounds))


def main() -> None:
    """Measure and print."""
    options = parsed()
    corpus = Corpus(options.words)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / FILE_NAME
        store = open_store(file).store
        characters = filled(store, corpus, options.messages)
        long_chat = add_long_chat(store, [corpus.message() for _ in range(1000)], STATS)
        store.close()
        size = file.stat().st_size
        facts = {"messages": options.messages + 1000, "characters": characters, "file_bytes": size}
        sys.stdout.write(f"{machine()}\n{msgspec.json.encode(facts).decode()}\n")
        report("open, checked whole", timed_ms(partial(open_and_close, file), 5))
        store = open_store(file).store
        search(store, corpus, options.rounds)
        read(store, long_chat, options.rounds)
        write(store, long_chat, options.rounds)
        store.close()


if __name__ == "__main__":
    main()
