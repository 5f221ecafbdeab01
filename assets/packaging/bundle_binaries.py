"""Making libraries smaller on Linux: the symbol tables of some wheels are larger than their code."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

Entry = tuple[str, str, str]
"""As PyInstaller has it: path in the bundle, source, kind."""

# Only these: libraries that a wheel's builder has patched (`*.libs`) do not survive it, the others have little to lose.
STRIPPED = ("xllamacpp.abi3.so", "libmlx.so", "libpython3")


def stripped(entries: list[Entry], folder: Path) -> list[Entry]:
    """Return `entries` with the sources of the libraries in `STRIPPED` replaced by smaller copies in `folder`."""
    if sys.platform != "linux" or shutil.which("strip") is None:
        return entries
    folder.mkdir(parents=True, exist_ok=True)
    return [_stripped(entry, folder) for entry in entries]


def _stripped(entry: Entry, folder: Path) -> Entry:
    name, source, kind = entry
    if kind == "SYMLINK" or not Path(name).name.startswith(STRIPPED):
        return entry
    copy = folder / Path(name).name
    subprocess.run(["strip", "--strip-unneeded", "-o", str(copy), source], check=True)
    return name, str(copy), kind
