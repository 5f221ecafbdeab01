"""Colours for code, some lines at a time: which part of a line is a keyword, a string, a comment."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from desktop.chat.transcript.look import SyntaxColors
from desktop.chat.transcript.row import utf16_length

if TYPE_CHECKING:
    from pygments.lexer import Lexer

MAX_COLORED_CHARACTERS = 8000
"""More than this in one go is left without colours: a row of code holds less, a minified file does not matter."""

Colored = tuple[int, int, str]
"""Start and length in UTF-16 code units, and the colour as "#rrggbb"."""

# Asking Pygments for a name it does not know makes it search every installed package; so only these are asked for.
_NAMES = """apacheconf asm awk bash bat batch c c++ clojure cmake cpp cs csharp css cuda dart diff docker
    dockerfile elixir elm erlang f# fortran fsharp gherkin glsl go golang graphql groovy haskell hcl hs
    html http ini java javascript jinja jl js json jsx julia kotlin latex less lisp lua make makefile
    matlab md markdown nasm nginx nix objc objective-c objectivec ocaml pascal perl php pl powershell
    prolog properties protobuf ps1 py py3 python python3 pycon r rb rs rst ruby rust sass scala scheme
    scss sh shell sql sqlite3 swift tcl terraform tex tf toml ts tsx typescript udiff v vbnet verilog
    vhdl vim vue wgsl xml yaml yml zig zsh"""
LANGUAGES = frozenset(_NAMES.split())

_PROBE = "\nfirsttokenprobe\n"

# Pygments' token types by their names, the more special first.
_FAMILIES = (
    ("Token.Comment", "comment"),
    ("Token.Literal.String", "string"),
    ("Token.Literal.Number", "number"),
    ("Token.Operator.Word", "keyword"),
    ("Token.Operator", "operator"),
    ("Token.Keyword", "keyword"),
    ("Token.Name.Tag", "keyword"),
    ("Token.Name.Function", "name"),
    ("Token.Name.Class", "name"),
    ("Token.Name.Decorator", "operator"),
    ("Token.Name.Builtin", "operator"),
)
_MAY_SPAN_LINES = ("Token.Comment", "Token.Literal.String")


class CodeColors:
    """Colours the code of one block, in one language."""

    def __init__(self, language: str, colors: SyntaxColors) -> None:
        self._language = language.lower()
        self._colors = colors
        self._known: dict[str, str] = {}

    @cached_property
    def _lexer(self) -> Lexer | None:
        if self._language not in LANGUAGES:
            return None
        from pygments.lexers import get_lexer_by_name  # noqa: PLC0415 - slow to import; many chats have no code

        return get_lexer_by_name(self._language)

    def colored(self, lines: list[str], opener: str = "") -> tuple[list[list[Colored]], str]:
        """Return the coloured parts of each line, and the opener for the lines that follow.

        Args:
            lines: some lines of the code.
            opener: the earlier line in which a string or comment begins that is still open; empty if there is none.
        """
        parts: list[list[Colored]] = [[] for _ in lines]
        if self._lexer is None or sum(map(len, lines)) > MAX_COLORED_CHARACTERS:
            return parts, ""
        before = f"{opener}\n" if opener else ""
        text = before + "\n".join(lines)
        place = _Place(lines, parts, before.count("\n"))
        open_since: int | None = None
        for start, token, value in self._lexer.get_tokens_unprocessed(text + _PROBE):
            name = str(token)
            place.take(value[: max(len(text) - start, 0)], self._color_of(name))
            open_since = (start if open_since is None else open_since) if name.startswith(_MAY_SPAN_LINES) else None
            if start + len(value) > len(text) + 1:
                break  # this token is the probe, or has swallowed it
        if open_since is None:
            return parts, ""
        return parts, text[text.rfind("\n", 0, open_since) + 1 :].partition("\n")[0]

    def _color_of(self, token_name: str) -> str:
        if token_name not in self._known:
            names = (name for family, name in _FAMILIES if token_name.startswith(family))
            self._known[token_name] = getattr(self._colors, next(names, ""), "")
        return self._known[token_name]


class _Place:
    """Where in the lines the tokens, which come in order, put their colours."""

    def __init__(self, lines: list[str], parts: list[list[Colored]], lines_before: int) -> None:
        self._lines = lines
        self._parts = parts
        self._line = -lines_before
        self._offset = 0

    def take(self, value: str, color: str) -> None:
        """Take the next token."""
        first, *rest = value.split("\n")
        self._take_in_line(first, color)
        for piece in rest:
            self._line += 1
            self._offset = 0
            self._take_in_line(piece, color)

    def _take_in_line(self, piece: str, color: str) -> None:
        length = utf16_length(piece)
        if color and piece and 0 <= self._line < len(self._lines):
            self._parts[self._line].append((self._offset, length, color))
        self._offset += length
