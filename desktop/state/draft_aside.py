"""What is written and not sent, in a file of its own for as long as the database cannot take it."""

from __future__ import annotations

import logging
from pathlib import Path

from runtime.config.atomic_file import replace_file

log = logging.getLogger("first-token")

FILE_NAME = "unsent.txt"


class DraftAside:
    """The file. Everything here blocks for as long as the disk does."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> str:
        """Return what was kept; nothing where there is nothing that can be read."""
        try:
            return self._file.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def keep(self, draft: str) -> None:
        """Keep `draft` for the next start; where even that fails, the log says so."""
        if not draft:
            self.forget()
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._file, draft.encode("utf-8", "replace"))
        except OSError:
            log.exception("what was not sent could not be kept")

    def forget(self) -> None:
        """Keep nothing any more: the database has it."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError:
            log.exception("what was not sent is in the database, and could not be removed from %s", self._file)
