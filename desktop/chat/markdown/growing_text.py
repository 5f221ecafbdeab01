"""The runs of a paragraph that grows, at a cost that does not grow with it."""

from __future__ import annotations

import re
from itertools import chain

from desktop.chat.markdown.inline import InlineParser
from desktop.chat.markdown.run import Run, Style, merged

SETTLE_CHARACTERS = 600
"""How much text may be parsed again and again before its beginning is settled."""
_KEPT_OPEN_CHARACTERS = 200

# What may be the first half of something whose second half is still to come; `_` inside a word is none.
_OPENER = re.compile(r"[*~`\[$<]|(?<![^\W_])_|_(?![^\W_])")


class GrowingText:
    """Parses a source that is given again and again with more text at its end.

    Its beginning is settled at a space, as soon as nothing before that space can still be closed by what comes after
    it: then both sides read the same alone as together.
    """

    def __init__(self, parser: InlineParser) -> None:
        self._parser = parser
        self._settled_source = ""
        self._settled_runs: tuple[Run, ...] = ()

    def runs(self, source: str) -> tuple[Run, ...]:
        """Return the runs of `source`."""
        if not source.startswith(self._settled_source):
            self._settled_source, self._settled_runs = "", ()
        rest = source[len(self._settled_source) :]
        runs = tuple(merged(chain(self._settled_runs, self._parser.runs(rest))))
        if len(rest) > SETTLE_CHARACTERS:
            self._settle(rest)
        return runs

    def _settle(self, rest: str) -> None:
        cut = rest.rfind(" ", 0, len(rest) - _KEPT_OPEN_CHARACTERS) + 1
        head = rest[:cut]
        if not head or rest[cut] in " \n" or head[-2:-1] in {" ", "\n"} or "\\" in head:
            return
        runs = self._parser.runs(head)
        if not any(_OPENER.search(run.text) for run in runs if not run.style & (Style.CODE | Style.MATH)):
            self._settled_source += head
            self._settled_runs = tuple(merged(chain(self._settled_runs, runs)))
