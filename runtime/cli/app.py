"""Arguments, dispatch, and what an error looks like: one line on stderr with the next step, exit code 1.

Exit codes: 0 done; 1 the user's world said no (`UserFacingError`) or a bug of ours; 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import TextIO

import msgspec

from runtime.cli.chat import add_chat_parser
from runtime.cli.doctor import add_doctor_parser
from runtime.cli.models import add_models_parser
from runtime.config.paths import AppPaths, app_paths, process_environment
from runtime.values.errors import FirstTokenError, InternalError, UserFacingError, report_of

EPILOG = """\
examples:
  first-token chat "What is the time to first token?"   one answer, then its figures
  first-token chat                                      a conversation
  first-token chat --model demo:int4 --json "Hello"     one JSON object, for scripts
  first-token models inspect demo                       what a model is, without loading it
  first-token doctor                                    does everything work here?

Nothing leaves this machine.
"""

log = logging.getLogger("first-token")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; each command sets `run` to its function."""
    parser = argparse.ArgumentParser(
        prog="first-token",
        description="Chat with language models that run on this machine, and see what inference costs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"first-token {version('first-token')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    add_chat_parser(commands)
    add_models_parser(commands)
    add_doctor_parser(commands)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        return 0
    paths = app_paths(process_environment())
    _log_to_file(paths)
    try:
        return int(options.run(options, paths))
    except FirstTokenError as error:
        _report(error, as_json=options.json, out=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing left to say, and nowhere to say it.
        sys.stderr.close()
        return 1


def _log_to_file(paths: AppPaths) -> None:
    """Send the log to a file in the logs folder; without one, a read-only home say, go on without."""
    try:
        paths.logs.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = logging.FileHandler(paths.logs / "first-token.log", encoding="utf-8", delay=False)
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.handlers = [handler]
    log.propagate = False


def _report(error: FirstTokenError, *, as_json: bool, out: TextIO) -> None:
    report = report_of(error)
    log.error("%s: %s\n%s", report.code, error, report.detail)
    if as_json:
        public = {"code": report.code, "what": report.what, "next_step": report.next_step}
        out.write(msgspec.json.encode({"error": public}).decode() + "\n")
        return
    match error:
        case UserFacingError(what=what, next_step=next_step):
            out.write(f"first-token: {what} {next_step}\n")
        case InternalError(what=what):
            out.write(f"first-token: {what} This is a bug of First Token; its log has the detail.\n")
        case _:
            out.write(f"first-token: {error}\n")
