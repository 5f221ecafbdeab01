"""The user's own chats as a text to score models on: what they are really asked, and how they answer.

Read without changing anything, whether the window is open or not. It stays on this machine, and results keep no more of
it than its hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from runtime.bench.quality import QualityText
from runtime.store import failures
from runtime.store.chats import Chats
from runtime.store.database import Database, read_only_connection
from runtime.store.messages import Messages
from runtime.values.errors import InvalidRequestError

OWN_CHATS = "your chats"
MOST_CHARACTERS = 1_000_000
"""More than the tokens that can be scored."""
LEAST_CHARACTERS = 500
"""About a hundred tokens: of fewer, the interval of the perplexity would be too wide to compare models."""


def own_chats_text(file: Path) -> QualityText:
    """Return what was said in the chats of the database at `file`, those last used first, as far as it is needed.

    Raises:
        InvalidRequestError: there is too little in them, or there is no such file.
        StoreError: they cannot be read.
    """
    said: list[str] = []
    length = 0
    for text in _messages(file) if file.exists() else ():
        said.append(text)
        length += len(text)
        if length >= MOST_CHARACTERS:
            break
    if not said:
        raise InvalidRequestError(
            "There are no chats to score models on.", "Write some, or use the text that comes with the app."
        )
    text = "\n\n".join(said)[:MOST_CHARACTERS]
    if len(text) < LEAST_CHARACTERS:
        raise InvalidRequestError(
            f"Your chats are too short to score models on: {len(text)} of {LEAST_CHARACTERS} characters.",
            "Write more, or use the text that comes with the app.",
        )
    return QualityText(OWN_CHATS, text)


def _messages(file: Path) -> Iterator[str]:
    """Yield the texts of each chat in their order."""
    with failures.translated(file):
        connection = read_only_connection(file)
    with closing(Database(connection, file)) as database:
        chats, messages = Chats(database, _no_clock), Messages(database, _no_clock)
        for chat in sorted(chats.summaries(), key=lambda one: one.updated_unix_ms, reverse=True):
            yield from (text for message in messages.current_path(chat.id) if (text := message.text.strip()))


def _no_clock() -> int:
    raise AssertionError("unreachable: nothing is written")
