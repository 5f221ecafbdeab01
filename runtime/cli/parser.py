"""The argument parser of every command: what it does not understand is one line with the next step, like any error."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from runtime.values.errors import UsageError

if TYPE_CHECKING:
    from argparse import _SubParsersAction


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that raises instead of ending the process, and keeps the line breaks of its texts."""

    def __init__(self, prog: str | None = None, description: str | None = None, epilog: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            add_help=False,
        )
        self.add_argument("-h", "--help", action="help", help="show this and exit")

    def error(self, message: str) -> NoReturn:
        """See `ArgumentParser.error`.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", f"`{self.prog} --help` shows what it takes.")


if TYPE_CHECKING:
    Commands = _SubParsersAction[Parser]
