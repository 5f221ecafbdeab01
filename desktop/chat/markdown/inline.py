"""A block's inline markdown to styled runs of text: what a document, a search and a screen reader all read.

Emphasis, code spans, links and escapes are markdown-it's; its tokens become runs here, so nothing a model writes can
turn into more than styled text. HTML stays the text it is, a picture becomes a link to it, and only addresses that a
browser or a mail program opens become links.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from desktop.chat.markdown.latex import latex_to_text
from desktop.chat.markdown.run import Run, Style, merged
from desktop.chat.markdown.safe_text import safe_text

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

MAX_FORMATTED_CHARACTERS = 12_000
"""A longer paragraph is shown without formatting: that bounds what one block can cost (brackets: 0.2 s)."""
MAX_ADDRESS_CHARACTERS = 2000

_SPECIAL = re.compile(r"[*_`~\[\]<&\\$!]|https?://| \n")
_LINE_BREAK_TAG = re.compile(r"<br\s{0,3}/?>", re.IGNORECASE)
_BARE_ADDRESS = re.compile(r"\bhttps?://[^\s<>\"'`|\\^{}\[\]]+")
_ALLOWED_ADDRESS = re.compile(r"(?:https?://|mailto:)[^\s]+\Z", re.IGNORECASE)
_MATH_CLOSERS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$", "$": "$"}


class InlineParser:
    """Turns inline markdown into runs."""

    @cached_property
    def _markdown(self) -> MarkdownIt:
        from markdown_it import MarkdownIt  # noqa: PLC0415 - slow to import, and not needed for the first paint

        markdown = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
        markdown.inline.ruler.before("escape", "math", _math_rule)
        return markdown

    def runs(self, source: str) -> tuple[Run, ...]:
        """Return the runs of `source`, none of them empty, no two neighbours alike."""
        if not source:
            return ()
        if len(source) > MAX_FORMATTED_CHARACTERS or not _SPECIAL.search(source):
            return (Run(source),)
        (root,) = self._markdown.parseInline(source)
        styled = merged(_runs_of(root.children or []))
        return tuple(merged(part for run in styled for part in _with_addresses(run)))

    def plain_text(self, source: str) -> str:
        """Return the text that `source` shows."""
        return "".join(run.text for run in self.runs(source))


_OPENING = {"strong_open": Style.BOLD, "em_open": Style.ITALIC, "s_open": Style.STRIKE}
_CLOSING = {"strong_close": Style.BOLD, "em_close": Style.ITALIC, "s_close": Style.STRIKE}


def _runs_of(tokens: Iterable[Token]) -> Iterator[Run]:
    style, address = Style.PLAIN, ""
    for token in tokens:
        match token.type:
            case "strong_open" | "em_open" | "s_open":
                style |= _OPENING[token.type]
            case "strong_close" | "em_close" | "s_close":
                style &= ~_CLOSING[token.type]
            case "link_open":
                address = _allowed(token.attrGet("href"))
            case "link_close":
                address = ""
            case "softbreak" | "hardbreak":
                yield Run("\n", style, address)
            case "code_inline":
                yield Run(safe_text(token.content), style | Style.CODE, address)
            case "math_inline":
                yield Run(safe_text(latex_to_text(token.content)), style | Style.MATH, address)
            case "image":
                source = _allowed(token.attrGet("src"))
                yield Run(f"[{safe_text(token.content) or source}]", style, source)
            case _:
                yield Run(_LINE_BREAK_TAG.sub("\n", safe_text(token.content)), style, address)


def _allowed(address: str | float | None) -> str:
    """Return the address if a link may lead there, else nothing."""
    text = str(address or "")
    return text if len(text) <= MAX_ADDRESS_CHARACTERS and _ALLOWED_ADDRESS.match(text) else ""


def _plain(address: str) -> str:
    """Return the address as a browser sends it: nothing in it that looks like something else, or turns text round."""
    from markdown_it.common.normalize_url import normalizeLink  # noqa: PLC0415 - as above

    return normalizeLink(address)


def _with_addresses(run: Run) -> Iterator[Run]:
    """Yield a run with the web addresses written out in it as links."""
    end = 0
    if not run.address and not run.style & (Style.CODE | Style.MATH):
        for match in _BARE_ADDRESS.finditer(run.text):
            address = _without_trailing_punctuation(match[0])
            yield Run(run.text[end : match.start()], run.style)
            yield Run(address, run.style, _allowed(_plain(address)))
            end = match.start() + len(address)
    yield Run(run.text[end:], run.style, run.address)


def _without_trailing_punctuation(address: str) -> str:
    trimmed = address.rstrip(".,;:!?*_~")
    while trimmed.endswith(")") and trimmed.count(")") > trimmed.count("("):
        trimmed = trimmed[:-1].rstrip(".,;:!?*_~")
    return trimmed


def _math_rule(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the signature markdown-it calls
    r"""Take `$…$`, `$$…$$`, `\(…\)` or `\[…\]`; a lone dollar sign is an amount of money."""
    opener = next((o for o in _MATH_CLOSERS if state.src.startswith(o, state.pos)), None)
    if opener is None:
        return False
    start = state.pos + len(opener)
    end = state.src.find(_MATH_CLOSERS[opener], start, state.posMax)
    if end <= start or (opener == "$" and not _is_dollar_math(state.src, start, end)):
        return False
    if not silent:
        state.push("math_inline", "", 0).content = state.src[start:end]
    state.pos = end + len(_MATH_CLOSERS[opener])
    return True


def _is_dollar_math(source: str, start: int, end: int) -> bool:
    """Tell math from prices, by Pandoc's rule: no space inside the signs, no digit after them."""
    content = source[start:end]
    return not content[0].isspace() and not content[-1].isspace() and not source[end + 1 : end + 2].isdigit()
