"""The standard streams as commands need them: always there, able to carry any text, and honest when they fail."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

import msgspec

from runtime.values.errors import InvalidRequestError, OutputError

MAX_PROMPT_BYTES = 64_000_000
"""More than the longest context of any model holds; a stream that never ends must not fill the memory."""


def prepare_streams() -> None:
    """Open those of stdin, stdout and stderr that are closed, and let none fail over a character."""
    # In this order, so that each gets the descriptor that belongs to it and no file of ours takes its place.
    sys.stdin = sys.stdin or _null("r")
    sys.stdout = sys.stdout or _null("w")
    sys.stderr = sys.stderr or _null("w")
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def _null(mode: Literal["r", "w"]) -> TextIO:
    return Path(os.devnull).open(mode, encoding="utf-8")


@contextmanager
def writing() -> Iterator[None]:
    """Name the failure of what is written inside.

    Raises:
        OutputError: there is no room, say.
        BrokenPipeError: nobody reads any more, which is no failure.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"The output cannot be written: {error.strerror or error}.", "Make room for it, or send it elsewhere."
        ) from error


def write_line(text: str) -> None:
    """Write a line to stdout."""
    with writing():
        sys.stdout.write(text + "\n")


def write_json(value: object) -> None:
    """Write `value` to stdout as one line of JSON, in UTF-8 whatever the terminal speaks."""
    with writing():
        sys.stdout.flush()
        sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")


def flush_output() -> None:
    """Hand on all that was written to stdout."""
    with writing():
        sys.stdout.flush()


def discard_output() -> None:
    """Let what stdout still holds, and cannot hand on, go nowhere: Python would try again at the end, and complain."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def read_prompt() -> str:
    """Return everything that comes through stdin.

    Raises:
        InvalidRequestError: it is more than any context holds.
    """
    raw = sys.stdin.buffer.read(MAX_PROMPT_BYTES + 1)
    if len(raw) > MAX_PROMPT_BYTES:
        raise InvalidRequestError(
            f"The prompt has more than {MAX_PROMPT_BYTES // 1_000_000} MB, which exceeds every context.",
            "Send a part of it.",
        )
    text = raw.decode(sys.stdin.encoding, "surrogateescape")
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def checked_text(text: str, what: str) -> str:
    """Return `text`.

    Raises:
        InvalidRequestError: it was not made of valid characters; Python smuggles such bytes in as half surrogates.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidRequestError(f"{what} is not valid UTF-8 text.", "Convert it to UTF-8 first.") from error
    return text


def printable_path(path: str | os.PathLike[str]) -> str:
    """Return `path` as valid text: file names may hold bytes that are none."""
    return os.fsencode(path).decode("utf-8", "replace")
