"""`first-token` as a user runs it: a real process, real workers, the demo model."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec

TIMEOUT_S = 100
Json = dict[str, object]


def first_token(
    *arguments: str, stdin: str = "", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return what it printed and its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "desktop", *arguments],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, **(environment or {})},
    )


def json_of(*arguments: str, stdin: str = "") -> Json:
    """Run a command that prints one JSON object, and return it."""
    done = first_token(*arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return msgspec.json.decode(done.stdout, type=Json)
