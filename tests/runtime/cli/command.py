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


def first_token_bytes(
    *arguments: bytes, stdin: bytes = b"", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command whose arguments and input may be any bytes."""
    return subprocess.run(
        [os.fsencode(sys.executable), b"-m", b"desktop", *arguments],
        input=stdin,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, **(environment or {})},
    )


def error_of(stderr: bytes) -> dict[str, str]:
    """Return the error that a command with `--json` reported, which is all that it wrote to stderr."""
    assert stderr.count(b"\n") == 1, stderr
    return msgspec.json.decode(stderr, type=dict[str, dict[str, str]])["error"]


def json_of(*arguments: str, stdin: str = "") -> Json:
    """Run a command that prints one JSON object, and return it."""
    done = first_token(*arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return msgspec.json.decode(done.stdout, type=Json)
