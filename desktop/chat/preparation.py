"""What showing a reply needs and opening the window does not: imported while the first message is written.

Else the first reply would wait for it, and so would the first one with code.
"""

from __future__ import annotations

from desktop.chat.markdown.inline import InlineParser


def prepare_to_show() -> None:
    """Import the parsers of markdown and of code; takes about 0.1 s, on whatever thread."""
    InlineParser().runs("*imports its parser*")

    from pygments.lexers import get_lexer_by_name  # noqa: PLC0415 - as the docstring says

    get_lexer_by_name("python")
