"""Taking out of a text what says whose machine it comes from: folders, the user's name, the machine's name."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import msgspec

from runtime.config.paths import AppPaths

LEAST_NAME_LENGTH = 3
"""Shorter names would take letters out of the middle of every sentence."""


class PrivateData(msgspec.Struct, frozen=True, kw_only=True):
    """What must not be in a report.

    Attributes:
        folders: each with the word that stands for it, the more specific first.
        names: the user's and the machine's, each with the word that stands for it.
    """

    folders: tuple[tuple[str, str], ...]
    names: tuple[tuple[str, str], ...]

    def removed_from(self, text: str) -> str:
        """Return `text` with a word in place of each."""
        for folder, word in self.folders:
            for written in {folder, folder.replace("\\", "/"), folder.replace("\\", "\\\\")}:
                text = text.replace(written, word)
        for name, word in self.names:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", word, text, flags=re.IGNORECASE)
        return text


def private_data_here(paths: AppPaths) -> PrivateData:
    """Return what is private on this machine."""
    folders = {
        str(paths.assets.parent): "<app>",
        str(paths.data): "<data>",
        str(paths.logs): "<logs>",
        str(paths.cache): "<cache>",
        str(paths.config_file.parent): "<settings>",
        str(_home()): "<home>",
    }
    ordered = sorted(((f, w) for f, w in folders.items() if len(f) > 1), key=lambda one: len(one[0]), reverse=True)
    host = platform.node()
    names = [(_user(), "<user>"), (host, "<machine>"), (host.partition(".")[0], "<machine>")]
    return PrivateData(folders=tuple(ordered), names=tuple((n, w) for n, w in names if len(n) >= LEAST_NAME_LENGTH))


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a user without a home folder
        return Path("/")


def _user() -> str:
    import getpass  # noqa: PLC0415 - every start of the window imports this module, hardly any needs a name

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name
        return ""
