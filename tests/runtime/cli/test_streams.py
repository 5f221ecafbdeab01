"""Any bytes, closed and full and broken pipes: a command ends in one line, or quietly, never in a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.runtime.cli.command import TIMEOUT_S, error_of, first_token_bytes

DEMO_MODEL = Path(__file__).resolve().parents[3] / "assets" / "demo-model"
NO_TEXT = b"What is \xff\xfe TTFT?"
ASK = (b"chat", b"--max-tokens", b"5")
needs_posix = pytest.mark.skipif(os.name != "posix", reason="arguments and descriptors of any bytes")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full, file names of any bytes")


@needs_posix
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        ((*ASK, b"-"), NO_TEXT),
        ((*ASK, NO_TEXT), b""),
        ((*ASK, b"--system", b"\xff", b"hello"), b""),
    ],
)
def test_what_is_no_text_is_refused_in_one_line(arguments: tuple[bytes, ...], stdin: bytes, locale: str) -> None:
    done = first_token_bytes(*arguments, stdin=stdin, environment={"LC_ALL": locale})

    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"first-token: The ")
    assert b"not valid UTF-8 text. " in done.stderr
    assert done.stderr.count(b"\n") == 1


@needs_posix
def test_a_line_that_is_no_text_does_not_end_a_conversation() -> None:
    done = first_token_bytes(*ASK, stdin=NO_TEXT + b"\nWhat is prefill?\n", environment={"LC_ALL": "C.UTF-8"})

    assert done.returncode == 0
    assert done.stdout.strip()
    assert done.stderr.count(b"not valid UTF-8") == 1
    assert done.stderr.count(b"TTFT") == 1


@needs_linux
def test_a_models_file_may_have_any_name_that_the_system_allows(tmp_path: Path) -> None:
    file = os.fsencode(tmp_path) + b"/\xff.gguf"
    shutil.copy(DEMO_MODEL / "demo-q4_0.gguf", os.fsdecode(file))
    inspected = first_token_bytes(b"models", b"inspect", b"--json", file)
    asked = first_token_bytes(*ASK, b"--json", b"--model", file, b"hello")

    assert msgspec.json.decode(inspected.stdout, type=dict[str, object])["path"] == f"{tmp_path}/\ufffd.gguf"
    assert (asked.returncode, asked.stdout) == (1, b"")
    assert error_of(asked.stderr)["code"] == "invalid-request"


def test_a_prompt_of_megabytes_exceeds_the_context_and_one_without_end_everything() -> None:
    five_megabytes = first_token_bytes(b"chat", b"--json", b"-", stdin=b"word " * 1_000_000)
    error = error_of(five_megabytes.stderr)
    assert (five_megabytes.returncode, error["code"]) == (1, "context-overflow")
    assert "2,048" in error["what"]

    endless = first_token_bytes(b"chat", b"--json", b"-", stdin=b"yes\n" * 17_000_000)
    assert endless.returncode == 1
    assert "64 MB" in error_of(endless.stderr)["what"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("chat", "--temperature", "2", "--seed", "1", "--max-tokens", "300", "What is TTFT?"),
        ("chat", "--json", "--max-tokens", "5", "hello"),
        ("models", "list"),
        ("models", "inspect", "demo"),
    ],
)
def test_nobody_reads_the_output_any_more(arguments: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "desktop", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    errors = process.communicate(timeout=TIMEOUT_S)[1]

    assert process.returncode == 1
    assert b"Traceback" not in errors
    assert b"BrokenPipe" not in errors
    assert b"first-token: " not in errors


@needs_linux
@pytest.mark.parametrize(
    "arguments",
    ["chat --json --max-tokens 3 hello", "chat --max-tokens 3 hello", "models list", "models inspect --json demo"],
)
def test_a_full_disk_is_one_line(arguments: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "desktop", *arguments.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT_S,
            check=False,
        )

    assert done.returncode == 1
    assert b"No space left on device" in done.stderr.splitlines()[-1]
    assert b"Traceback" not in done.stderr


@needs_posix
@pytest.mark.parametrize(
    ("closed", "arguments", "code"),
    [
        ("<&-", "chat --max-tokens 3 hello", 0),
        ("<&-", "chat --max-tokens 3 -", 1),
        ("<&-", "chat --max-tokens 3", 0),
        (">&-", "chat --max-tokens 3 hello", 0),
        ("2>&-", "models list", 0),
        ("<&- >&- 2>&-", "chat --json --max-tokens 3 hello", 0),
    ],
)
def test_closed_streams_are_as_good_as_empty_ones(closed: str, arguments: str, code: int) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m desktop {arguments} {closed}', sys.executable],
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr


def test_an_ascii_terminal_gets_the_text_and_machines_get_utf_8() -> None:
    narrow = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    template = first_token_bytes(b"models", b"inspect", b"--json", b"demo", environment=narrow)
    answer = first_token_bytes(
        b"chat", b"--temperature", b"2", b"--seed", b"1", b"--max-tokens", b"300", b"hi", environment=narrow
    )

    assert template.returncode == answer.returncode == 0
    assert msgspec.json.decode(template.stdout, type=dict[str, object])["architecture"] == "qwen3"
    assert answer.stdout.isascii()
    assert b"Traceback" not in answer.stderr
