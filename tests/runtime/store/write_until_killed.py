"""A process that streams replies into the database named on its command line, telling what is durable, until killed.

It prints a line once a message is committed: its id, and how many characters of it. The text is known beforehand.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from random import Random

from runtime.store.opening import Store, open_store
from runtime.store.replies import ReplyWriter
from runtime.values.chat import ChatId, MessageId, MessageState, ReplyEnd
from runtime.values.generation import TextKind

READY = "ready"


def text_of(message_id: int, characters: int) -> str:
    """Return the first characters of what is written into a reply."""
    line = f"reply {message_id}, 推理 and more; "
    return (line * (characters // len(line) + 1))[:characters]


def question(message_id: int) -> str:
    """Return what the user asks in a message."""
    return f"question {message_id}"


def tell(*words: object) -> None:
    """Print a line at once, whole."""
    os.write(sys.stdout.fileno(), (" ".join(map(str, words)) + "\n").encode())


def write_reply(writer: ReplyWriter, random: Random) -> MessageId:
    """Stream one reply."""
    written = 0
    for _ in range(random.randrange(8)):
        for _ in range(random.randrange(1, 30)):
            size = random.randrange(1, 12)
            writer.append(text_of(writer.message_id, written + size)[written:], TextKind.ANSWER)
            written += size
        writer.flush()
        tell(writer.message_id, written)
    writer.finish(ReplyEnd(state=MessageState.COMPLETE))
    tell(writer.message_id, written)
    return writer.message_id


def write_chat(store: Store, next_id: int, random: Random) -> int:
    """Write a chat of a few messages, and return the id the next message will have."""
    chat_id: ChatId | None = None
    parent_id: MessageId | None = None
    for _ in range(random.randrange(1, 5)):
        text = question(next_id)
        exchange = store.exchanges.begin(chat_id, parent_id, text, model="demo", quantization=None)
        chat_id, asked = exchange.chat.id, exchange.path[-2]
        tell(asked.id, len(text))
        parent_id = write_reply(exchange.writer, random)
        if random.random() < 0.3:
            again = store.replies.begin(chat_id, asked.id, model="demo", quantization=None)
            parent_id = write_reply(again, random)
        next_id = parent_id + 1
    return next_id


def main() -> None:
    """Open the database and write."""
    store = open_store(Path(sys.argv[1])).store
    random = Random(int(sys.argv[2]))
    ((highest,),) = store.database.rows(tuple[int | None], "SELECT max(id) FROM messages")
    next_id = (highest or 0) + 1
    tell(READY)
    while True:
        next_id = write_chat(store, next_id, random)


if __name__ == "__main__":
    main()
