"""A chat as Markdown."""

from __future__ import annotations

from runtime.store.markdown_export import MarkdownLabels, markdown_of
from runtime.store.opening import Store
from runtime.values.chat import MessageState, ReplyEnd
from runtime.values.errors import ErrorReport
from runtime.values.generation import TextKind
from tests.runtime.store.chat_examples import add_exchange, add_reply

EXPECTED = """\
# What is TTFT?

**System prompt**

> Be brief.
>
> Always.

---

## You

What is TTFT?

---

## Assistant (Qwen3-0.6B, INT4)

> **Reasoning**
>
> Let me think.

Time to first token:

```python
x = 1
```

---

## You

And?

---

## Assistant (demo)

Half

*Failed here: The worker ended.*
"""


def test_the_current_path_is_written(store: Store) -> None:
    chat = store.chats.create(system_prompt="Be brief.\n\nAlways.").id
    asked, answered = add_exchange(store, chat, "What is TTFT?", "Time to first token:\n\n```python\nx = 1\n```\n")
    add_reply(store, chat, asked.id, "another branch")
    last = store.messages.add_user(chat, answered.id, "And?")
    writer = store.replies.begin(chat, last.id, model="demo", quantization=None)
    writer.append("Half", TextKind.ANSWER)
    report = ErrorReport("worker-lost", "The worker ended.", "Retry.")
    writer.finish(ReplyEnd(state=MessageState.FAILED, error=report))

    assert markdown_of(store.chats.get(chat), store.messages.current_path(chat)) == EXPECTED


def test_labels_can_be_of_another_language(store: Store) -> None:
    chat = store.chats.create()
    add_exchange(store, chat.id, "…", "x")
    labels = MarkdownLabels(untitled="Ohne Titel", user="Du", assistant="Modell", reasoning="Gedanken")
    text = markdown_of(store.chats.get(chat.id), store.messages.current_path(chat.id), labels)
    assert text.startswith(
        "# Ohne Titel\n\n---\n\n## Du\n\n…\n\n---\n\n## Modell (Qwen3-0.6B, INT4)\n\n> **Gedanken**\n>"
    )
