"""Arguments, dispatch, and what an error looks like: one line on stderr with the next step, exit code 1.

Exit codes: 0 done; 1 the user's world said no (`UserFacingError`) or a bug of ours; 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version

from runtime.cli.bench import run_bench
from runtime.cli.bench_options import add_bench_parser
from runtime.cli.cache import add_cache_parser
from runtime.cli.chat import run_chat
from runtime.cli.chat_options import add_chat_parser
from runtime.cli.doctor import add_doctor_parser
from runtime.cli.failure import failure_json, failure_text, log, log_failure
from runtime.cli.models import add_models_parser
from runtime.cli.parser import Parser
from runtime.cli.streams import discard_output, flush_output, prepare_streams
from runtime.config.paths import AppPaths, app_paths, process_environment
from runtime.values.errors import FirstTokenError, OutputError, UsageError

EPILOG = """\
examples:
  first-token                                           the window
  first-token chat "What is the time to first token?"   one answer, then its figures
  first-token chat                                      a conversation
  first-token chat --model demo:int4 --json "Hello"     one JSON object, for scripts
  first-token models inspect demo                       what a model is, without loading it
  first-token models fit --parameters 70e9 --bits 4     does a model of that size fit here?
  first-token models pull qwen3-0.6b                    download a model
  first-token bench --model demo:int4 demo:int8         how fast models run here
  first-token doctor                                    does everything work here?
  first-token --self-test                               try everything, window included, and leave a report to send

exit codes: 0 done; 1 refused, with one line that says why and what to do; 2 wrong usage; 130 interrupted.
With --json an error is {"error": {"code", "what", "next_step"}} on stderr.

Nothing of a chat leaves this machine. `models search`, `models pull` and `models fit REPO` ask the Hub for models.
"""

EXIT_REFUSED = 1
EXIT_WRONG_USAGE = 2
EXIT_INTERRUPTED = 130
JSON_OPTION = "--json"


def build_parser() -> Parser:
    """Return the parser of the whole command line; each command sets `run` to its function."""
    parser = Parser(
        "first-token", "Chat with language models that run on this machine, and see what inference costs.", EPILOG
    )
    parser.add_argument(
        "--version", action="version", version=f"first-token {version('first-token')}", help="show it and exit"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_chat_parser(commands, run_chat)
    add_models_parser(commands)
    add_bench_parser(commands, run_bench)
    add_cache_parser(commands)
    add_doctor_parser(commands)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code."""
    prepare_streams()
    try:
        return _run(arguments)
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing left to say, and nowhere to say it.
        discard_output()
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except FirstTokenError as error:
        if isinstance(error, OutputError):
            discard_output()
        _report(error, as_json=JSON_OPTION in arguments)
        return EXIT_WRONG_USAGE if isinstance(error, UsageError) else EXIT_REFUSED


def _run(arguments: Sequence[str]) -> int:
    try:
        options = build_parser().parse_args(arguments)
    except SystemExit:  # --help and --version have been printed
        flush_output()
        return 0
    paths = app_paths(process_environment())
    _log_to_file(paths)
    code = int(options.run(options, paths))
    flush_output()
    return code


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


def _report(error: FirstTokenError, *, as_json: bool) -> None:
    if not isinstance(error, UsageError):
        log_failure(error)
    sys.stderr.write((failure_json(error) if as_json else f"first-token: {failure_text(error)}") + "\n")
    sys.stderr.flush()
