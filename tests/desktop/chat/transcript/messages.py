"""Messages to show in tests."""

from __future__ import annotations

import msgspec

from desktop.chat.transcript.message_view import REPLY_ACTIONS, USER_ACTIONS, MessageView
from runtime.values.chat import MessageId, MessageState
from runtime.values.prompt import Role

EVERYTHING = r"""## A heading

Words in **bold**, *italic*, ~~gone~~, `code` and [a link](https://example.org/a); enough of them that the paragraph is
broken into lines, with `more code` at the end.

1. First
   - nested, **bold**
     - deeper
       ```python
       def inside(item):
           return item
       ```
2. Second

- [x] done
- [ ] open

> Quoted
> - with a list
>
> and a second paragraph

```python
def decode(self, x: int = 4) -> str:
    '''A docstring
    over two lines'''
    return f"{x} ms"  # a comment that makes this line longer than the column is wide, which has it scroll sideways only
```

| Name | Size | Speed |
|:-----|-----:|:-----:|
| Q4_K_M | 4.92 | **39.2** |
| Q8_0, with words enough to be broken into lines once the column is narrow | 8.54 | `22.1` |

$$
\frac{a}{b} \le \sqrt{x^2}
$$

---

Emoji 🎉 and عربي and the end **of it"""


def user(number: int, text: str) -> MessageView:
    """Return a message of the user."""
    return MessageView(id=MessageId(number), role=Role.USER, text=text, actions=USER_ACTIONS)


def reply(number: int, text: str, **more: object) -> MessageView:
    """Return a finished reply."""
    view = MessageView(id=MessageId(number), role=Role.ASSISTANT, text=text, actions=REPLY_ACTIONS)
    return msgspec.structs.replace(view, **more)


def streaming(number: int, text: str = "", **more: object) -> MessageView:
    """Return a reply under way."""
    return reply(number, text, state=MessageState.STREAMING, actions=frozenset(), **more)


def conversation(exchanges: int) -> list[MessageView]:
    """Return questions and answers by turns."""
    views = []
    for number in range(exchanges):
        views.append(user(2 * number + 1, f"Question {number}"))
        views.append(reply(2 * number + 2, f"Answer {number}\n\n" + "Some **words** that fill lines. " * 12))
    return views
