"""Whether the files of the demo model are those that were shipped: weights that are damaged load without complaint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

SUMS_FILE = "SHA256SUMS"


def file_problems(demo_model: Path) -> Iterator[str]:
    """Yield what is missing or changed in the folder of the demo model, by the list that lies in it."""
    try:
        lines = (demo_model / SUMS_FILE).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        yield f"{SUMS_FILE} of the demo model cannot be read ({error.strerror}); reinstall First Token"
        return
    for line in lines:
        digest, _, name = line.partition("  ")
        try:
            found = hashlib.sha256((demo_model / name).read_bytes()).hexdigest()
        except OSError as error:
            yield f"{name} of the demo model cannot be read ({error.strerror}); reinstall First Token"
            continue
        if found != digest:
            yield f"{name} of the demo model is damaged; reinstall First Token"
