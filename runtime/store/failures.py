"""SQLite's errors in the user's words, and which of them mean that the file is damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from runtime.values.errors import FirstTokenError, InternalError, StoreError

UNREADABLE = (sqlite3.Error, UnicodeDecodeError)  # the latter where a message quotes a damaged schema
INDEX_DAMAGE = ("SQLITE_CORRUPT_VTAB:", "SQLITE_CONSTRAINT:")  # the latter without a kind: only virtual tables do that
DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


class Explanation(msgspec.Struct, frozen=True):
    """What errors whose names begin with one of `names` mean; `{file}` stands for the database."""

    names: tuple[str, ...]
    what: str
    next_step: str


SURROUNDINGS = (
    Explanation(
        ("SQLITE_FULL",),
        "The disk is full, so the chats cannot be saved.",
        "Free some space, then try again.",
    ),
    Explanation(
        ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH"),
        "The chats in {file} cannot be opened for writing.",
        "Check the permissions of the file and of its folder, then try again.",
    ),
    Explanation(
        ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"),
        "Another program keeps {file} locked.",
        "Close other windows of First Token, then try again.",
    ),
    Explanation(
        ("SQLITE_IOERR", "SQLITE_NOMEM"),
        "The disk or the memory failed while the chats in {file} were read or written.",
        "Check free space and the disk, then try again.",
    ),
)


@contextmanager
def translated(file: Path) -> Iterator[None]:
    """Turn what SQLite raises about `file` into an error of this product.

    Raises:
        StoreError: the disk is full, the folder is read-only, the file is damaged or in use, or the row is gone.
        InternalError: SQLite was used wrongly.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise translation(error, file) from error
    except UnicodeDecodeError as error:
        raise damaged(file, str(error)) from error


@contextmanager
def files_translated(file: Path) -> Iterator[None]:
    """Turn what the operating system raises about `file` or its folder into a `StoreError`."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The chats in {file} cannot be opened or written: {error.strerror or error}.",
            "Check the folder's permissions and free space, then try again.",
            detail=repr(error),
        ) from error


def error_name(error: sqlite3.Error) -> str:
    """Return SQLite's own name of an error, for example "SQLITE_FULL"; "" where Python's module raised it."""
    return getattr(error, "sqlite_errorname", "") or ""


def comes_from_surroundings(error: sqlite3.Error) -> bool:
    """Return whether disk, permissions or another process are to blame, and not the content of the file."""
    return any(error_name(error).startswith(explanation.names) for explanation in SURROUNDINGS)


def translation(error: sqlite3.Error, file: Path) -> FirstTokenError:
    """Return what an error about `file` means."""
    name = error_name(error)
    detail = f"{name}: {error}"
    for explanation in SURROUNDINGS:
        if name.startswith(explanation.names):
            return StoreError(explanation.what.replace("{file}", str(file)), explanation.next_step, detail=detail)
    if detail.startswith(INDEX_DAMAGE):
        return StoreError("The search index was damaged.", "Try again: it has been made anew.", detail=detail)
    if name.startswith(DAMAGE):
        return damaged(file, detail)
    if name.startswith("SQLITE_CONSTRAINT_FOREIGNKEY"):
        return gone(detail)
    return InternalError(f"SQLite refused a statement: {error}", detail=detail)


def is_index_damage(error: StoreError) -> bool:
    """Return whether the search index is damaged and has to be made anew."""
    return error.detail.startswith(INDEX_DAMAGE)


def damaged(file: Path, detail: str) -> StoreError:
    """Return the error of a database file that turned out to be damaged while in use."""
    return StoreError(
        f"The chat database {file} is damaged.",
        "Restart First Token: it keeps the damaged file aside and saves what can still be read.",
        detail=detail,
    )


def gone(detail: str) -> StoreError:
    """Return the error of a chat or message that no longer exists."""
    return StoreError(
        "This chat or message no longer exists.", "It was deleted for good; reload the list.", detail=detail
    )
