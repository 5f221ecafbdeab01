"""`first-token chat`: one answer, or a conversation in the terminal."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from time import perf_counter_ns

from runtime.cli.chat_options import load_options_from, sampling_from
from runtime.cli.conversation import Conversation, Exchange
from runtime.cli.failure import failure_text, log_failure
from runtime.cli.figures import figures_lines, reply_record
from runtime.cli.streams import checked_text, read_prompt, write_json
from runtime.cli.terminal import Terminal
from runtime.client.launch import choose_model, make_supervisor, model_to_load, remembered_options
from runtime.config.paths import AppPaths
from runtime.library.last_used import record_use
from runtime.values.context_end import ContextEnd
from runtime.values.errors import FirstTokenError, InvalidRequestError, OutputError, StoreError
from runtime.values.generation import StopReason
from runtime.values.sampling import checked

PROMPT_SIGN = "> "
HELP = (
    "/clear forgets the conversation, /continue goes on with a reply that ended early, /help shows this,"
    " /exit or Ctrl+D leaves; Ctrl+C stops a reply."
)
EXIT_INTERRUPTED = 130
STOPPED_EARLY = {
    StopReason.LENGTH: "The answer ends here because of --max-tokens.",
    StopReason.CONTEXT_FULL: "The answer ends here because the context is full.",
    StopReason.CANCELLED: "Stopped.",
}


def run_chat(options: argparse.Namespace, paths: AppPaths) -> int:
    """Answer once, or converse until the user leaves; return the exit code."""
    sampling = checked(sampling_from(options))
    if options.max_tokens is not None and options.max_tokens < 1:
        raise InvalidRequestError(f"The token limit cannot be {options.max_tokens}.", "Ask for at least 1 token.")
    system = checked_text(options.system or "", "The system prompt")
    question = None if options.prompt is None and not options.json else checked_question(question_of(options))
    model, settings = choose_model(options.model, options.engine, paths)
    kv_caches = None if options.incognito else paths.kv_caches
    load = model_to_load(model, settings, load_options_from(options, remembered_options(model, settings)), kv_caches)
    at_context_end = ContextEnd(options.at_context_end or settings.at_context_end)
    conversation = Conversation(make_supervisor(), sampling, system, options.max_tokens, at_context_end)
    submitted_ns = perf_counter_ns()  # Loading belongs to what the user of a single answer waits for.
    with asyncio.Runner() as runner:
        try:
            conversation.model = runner.run(conversation.client.load(load))
            _note_use(paths, model.path)
            terminal = Terminal(sys.stdout, sys.stderr)
            if question is None:
                return converse(runner, conversation, terminal)
            if options.json:
                return answer_in_json(runner, conversation, question, submitted_ns)
            return answer_once(runner, conversation, question, submitted_ns, terminal)
        finally:
            # Ending the worker takes three seconds at most; Ctrl+C held down must not turn that into a traceback.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            runner.run(conversation.client.close())


def _note_use(paths: AppPaths, model: Path) -> None:
    """Remember when the model was used, if that can be written down; nobody's answer depends on it."""
    try:
        record_use(paths, model)
    except StoreError as error:
        log_failure(error)


def question_of(options: argparse.Namespace) -> str:
    """Return the one question that is to be answered."""
    return read_prompt() if options.prompt in (None, "-") else str(options.prompt)


def checked_question(text: str) -> str:
    """Return `text`.

    Raises:
        InvalidRequestError: there is nothing in it, or it is not valid text.
    """
    if not text.strip():
        raise InvalidRequestError("The message is empty.", "Write something first.")
    return checked_text(text, "The message")


def answer_once(
    runner: asyncio.Runner, conversation: Conversation, text: str, submitted_ns: int, terminal: Terminal
) -> int:
    """Answer `text`, print the figures (stderr), and return the exit code."""
    _announce(conversation, terminal)
    try:
        exchange = runner.run(conversation.ask(text, terminal, submitted_ns))
    finally:
        terminal.end_line()
    _show_end(exchange, terminal)
    return EXIT_INTERRUPTED if exchange.stop_reason is StopReason.CANCELLED else 0


def answer_in_json(runner: asyncio.Runner, conversation: Conversation, text: str, submitted_ns: int) -> int:
    """Answer `text`, print one JSON object that describes the whole reply, and return the exit code."""
    exchange = runner.run(conversation.ask(text, None, submitted_ns))
    if exchange.stats is not None:
        is_demo = conversation.model is not None and conversation.model.is_demo
        write_json(
            reply_record(exchange.text, exchange.reasoning, exchange.stop_reason, exchange.stats, is_demo=is_demo)
        )
    return EXIT_INTERRUPTED if exchange.stop_reason is StopReason.CANCELLED else 0


def converse(runner: asyncio.Runner, conversation: Conversation, terminal: Terminal) -> int:
    """Ask and answer until the user leaves."""
    _announce(conversation, terminal)
    terminal.note(HELP)
    _enable_line_editing()
    while (line := _read_line()) is not None:
        match line.strip():
            case "":
                continue
            case "/exit" | "/quit":
                break
            case "/help":
                terminal.note(HELP)
            case "/clear":
                conversation.clear()
                terminal.note("The conversation is forgotten.")
            case "/continue":
                _turn(runner, conversation, None, terminal)
            case _:
                _turn(runner, conversation, line, terminal)
    return 0


def _turn(runner: asyncio.Runner, conversation: Conversation, text: str | None, terminal: Terminal) -> None:
    """Answer `text`, or go on with the last reply where it is None; then say how full the context is."""
    submitted_ns = perf_counter_ns()
    try:
        if text is None:
            exchange = runner.run(conversation.go_on(terminal, submitted_ns))
        else:
            exchange = runner.run(conversation.ask(checked_question(text), terminal, submitted_ns))
        _show_end(exchange, terminal)
        if text_before_next := runner.run(conversation.outlook()):
            terminal.note(text_before_next)
    except OutputError:
        raise
    except FirstTokenError as error:  # The conversation goes on: say what happened where it happened.
        log_failure(error)
        terminal.note(failure_text(error))


def _read_line() -> str | None:
    """Return the next line; None at the end of input or on Ctrl+C at the prompt."""
    asks = sys.stdin.isatty()
    if asks and not sys.stdout.isatty():  # The answers go to a file; the question for the next message must not.
        sys.stderr.write(PROMPT_SIGN)
        sys.stderr.flush()
    try:
        return input(PROMPT_SIGN if asks and sys.stdout.isatty() else "")
    except (EOFError, KeyboardInterrupt):
        if asks:  # What comes next, the shell's prompt, begins a line.
            sys.stderr.write("\n")
        return None


def _enable_line_editing() -> None:
    """Give `input` arrow keys and history where the platform has readline."""
    try:
        import readline  # noqa: F401, PLC0415 - importing it is what switches it on
    except ImportError:
        return


def _announce(conversation: Conversation, terminal: Terminal) -> None:
    if conversation.model is not None and conversation.model.is_demo:
        terminal.note("This is the tiny demo model: it shows how inference works and knows little else.")


def _show_end(exchange: Exchange, terminal: Terminal) -> None:
    if exchange.stop_reason in STOPPED_EARLY:
        terminal.note(STOPPED_EARLY[exchange.stop_reason])
    for line in figures_lines(exchange.stats) if exchange.stats is not None else ():
        terminal.note(line)
