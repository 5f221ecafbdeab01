"""What a command line may be, what it may not, and what `--help` says of it."""

from __future__ import annotations

import pytest

from tests.runtime.cli.command import error_of, first_token

COMMANDS = ("", "chat", "models", "models list", "models inspect", "doctor", "bench")
WRONG = (
    ("chat --engine abacus hi", "--engine"),
    ("chat --max-tokens many hi", "--max-tokens"),
    ("chat --temp 1 hi", "--temp"),
    ("chat one two", "two"),
    ("frobnicate", "frobnicate"),
    ("models", "COMMAND"),
    ("models inspect", "PATH|NAME"),
    ("doctor --loud", "--loud"),
)


@pytest.mark.parametrize(("arguments", "word"), WRONG)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: str, word: str) -> None:
    done = first_token(*arguments.split())

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("first-token: ")
    assert done.stderr.count("\n") == 1
    assert word in done.stderr
    assert "--help` shows" in done.stderr


def test_machines_get_wrong_usage_as_json_too() -> None:
    done = first_token("chat", "--json", "--top-p")

    assert (done.returncode, done.stdout) == (2, "")
    assert error_of(done.stderr.encode())["code"] == "usage"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_on_lines_that_fit(command: str) -> None:
    done = first_token(*command.split(), "--help", environment={"COLUMNS": "122"})

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: first-token {command}".rstrip())
    assert all(len(line) <= 120 for line in done.stdout.splitlines())


def test_help_names_every_option_of_chat_with_an_example_and_the_exit_codes() -> None:
    chat = first_token("chat", "--help").stdout
    for option in ("--model", "--engine", "--system", "--max-tokens", "--temperature", "--top-p", "--seed", "--json"):
        assert f"  {option}" in chat
    assert "examples:" in chat
    assert "Ctrl+C" in chat
    assert "exit codes: 0" in first_token("--help").stdout
    assert first_token("--version").stdout.startswith("first-token 0.")
