"""Programs in a native llama-server's place: the stand-in, which is a real server, and scripts that are none."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

STAND_IN = Path(__file__).parent / "llama_server_stand_in.py"


def shell_script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def stand_in_program(folder: Path) -> Path:
    """Write a `llama-server` into `folder` that runs the stand-in."""
    return shell_script(folder / "llama-server", f'exec "{sys.executable}" -P "{STAND_IN}" "$@"')


def stand_ins_below(pid: int | None = None) -> list[psutil.Process]:
    """Return the stand-ins that process `pid` (this one by default) and its children have started."""
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if child.status() != psutil.STATUS_ZOMBIE and _is_stand_in(child)]


def _is_stand_in(process: psutil.Process) -> bool:
    return str(STAND_IN) in process.cmdline()[1:3]
