"""Libraries on Linux: without those that only a part needs which stays out, and without long symbol tables."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

Entry = tuple[str, str, str]
"""As PyInstaller has it: path in the bundle, source, kind."""

# Only these: libraries that a wheel's builder has patched (`*.libs`) do not survive it, the others have little to lose.
STRIPPED = ("xllamacpp.abi3.so", "libmlx.so", "libpython3")


def without_orphans(
    entries: list[Entry], left_out: list[Entry], imports: Callable[[str], Iterable[str]]
) -> list[Entry]:
    """Return `entries` without the system's libraries that were found only because something in `left_out` needs them.

    The analysis follows what a plug-in of Qt needs before the plug-in is left out: the GTK theme would bring all of GTK
    along from a machine that has it. `imports` returns the names of the libraries that one at a path asks for.
    """
    sources = {Path(name).name: source for name, source, _ in [*entries, *left_out]}
    suspects = _needed(left_out, sources, imports) & {name for name, _, _ in entries if Path(name).name == name}
    needed = _needed([entry for entry in entries if entry[0] not in suspects], sources, imports)
    return [entry for entry in entries if entry[0] not in suspects - needed]


def _needed(entries: Iterable[Entry], sources: dict[str, str], imports: Callable[[str], Iterable[str]]) -> set[str]:
    """Return the names of the libraries that `entries` need, and of those that these need, as far as there are any."""
    waiting = [source for _, source, kind in entries if kind != "SYMLINK"]
    found: set[str] = set()
    while waiting:
        fresh = {name for name in imports(waiting.pop()) if name in sources} - found
        found |= fresh
        waiting += [sources[name] for name in sorted(fresh)]
    return found


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
