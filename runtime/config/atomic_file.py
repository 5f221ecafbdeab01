"""Writing a file whole or not at all: whoever reads it sees the old content or the new, never half of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace_file(file: Path, content: bytes) -> None:
    """Put `content` into `file`.

    Raises:
        OSError: it cannot be written; what was there is still there, and nothing is left beside it.
    """
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=file.name, suffix=".new")
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(file)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
