"""`first-token chat`: one answer, or a conversation in the terminal."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from time import perf_counter_ns
from typing import assert_never

import msgspec

from runtime.cli.chat_options import sampling_from
from runtime.cli.failure import failure_text, log_failure
from runtime.cli.figures import figures_lines, reply_record
from runtime.cli.streams import checked_text, read_prompt, write_json
from runtime.cli.terminal import Terminal
from runtime.client.base import Reply
from runtime.client.launch import choose_model, make_supervisor, model_to_load
from runtime.client.supervisor import Supervisor
from runtime.config.paths import AppPaths
from runtime.library.last_used import record_use
from runtime.values.chat import new_uid
from runtime.values.errors import FirstTokenError, InvalidRequestError, OutputError, StoreError, error_from
from runtime.values.generation import (
    Cancelled,
    Failed,
    Finished,
    GenerateRequest,
    GenerationStats,
    PromptProgress,
    StopReason,
    TextDelta,
    TextKind,
)
from runtime.values.model import LoadedModel, LoadOptions
from runtime.values.prompt import ChatPrompt, Message, Role
from runtime.values.sampling import SamplingParams, checked

PROMPT_SIGN = "> "
HELP = "/clear forgets the conversation, /help shows this, /exit or Ctrl+D leaves; Ctrl+C stops a reply."
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
    load = model_to_load(model, settings, LoadOptions(context_tokens=options.context), kv_caches)
    conversation = Conversation(make_supervisor(), sampling, system, options.max_tokens)
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


class Exchange(msgspec.Struct, frozen=True):
    """A reply that has ended, and how."""

    text: str
    reasoning: str
    stop_reason: StopReason
    stats: GenerationStats | None


class Conversation:
    """The messages so far and the client that answers them."""

    def __init__(self, client: Supervisor, sampling: SamplingParams, system: str, max_tokens: int | None) -> None:
        self.client = client
        self.model: LoadedModel | None = None
        self._sampling = sampling
        self._max_tokens = max_tokens
        self._opening = (Message(Role.SYSTEM, system),) if system else ()
        self._messages = self._opening
        self._key = new_uid()

    def clear(self) -> None:
        """Forget what was said; the system prompt stays."""
        self._messages = self._opening
        self._key = new_uid()

    async def ask(self, text: str, terminal: Terminal | None, submitted_ns: int) -> Exchange:
        """Send `text`, show the reply as it streams, and return it; an interrupt stops it and keeps what there is.

        A question whose reply was stopped before its first word is not part of the conversation.

        Raises:
            UserFacingError: the reply failed. The question is then not part of the conversation.
        """
        messages = (*self._messages, Message(Role.USER, text))
        request = GenerateRequest(
            id=0,
            prompt=ChatPrompt(messages),
            submitted_ns=submitted_ns,
            max_tokens=self._max_tokens,
            sampling=self._sampling,
            conversation=self._key,
        )
        transcript = _Transcript(terminal)
        try:
            reply = await self.client.generate(request)
        except asyncio.CancelledError:  # Ctrl+C while a lost worker was being replaced: there is no reply to stop.
            return transcript.exchange(StopReason.CANCELLED, None)
        exchange = await _follow(reply, transcript)
        if exchange.text or exchange.stop_reason is not StopReason.CANCELLED:
            self._messages = (*messages, Message(Role.ASSISTANT, exchange.text))
        return exchange


async def _follow(reply: Reply, transcript: _Transcript) -> Exchange:
    try:
        return await transcript.read(reply)
    except asyncio.CancelledError:  # Ctrl+C: stop the reply, then go on reading to its end.
        reply.cancel()
        return await transcript.read(reply)


class _Transcript:
    """Collects a reply's text and shows it."""

    def __init__(self, terminal: Terminal | None) -> None:
        self._terminal = terminal
        self._texts: dict[TextKind, list[str]] = {TextKind.ANSWER: [], TextKind.REASONING: []}

    async def read(self, reply: Reply) -> Exchange:
        async for event in reply:
            match event:
                case PromptProgress():
                    pass  # A terminal shows the wait as it is.
                case TextDelta():
                    self._show(event)
                case Finished(stop_reason=reason, stats=stats):
                    return self.exchange(reason, stats)
                case Cancelled(stats=stats):
                    return self.exchange(StopReason.CANCELLED, stats)
                case Failed(error=report):
                    raise error_from(report)
                case _:
                    assert_never(event)
        raise AssertionError("unreachable: a reply ends in a terminal event")

    def _show(self, delta: TextDelta) -> None:
        self._texts[delta.kind].append(delta.text)
        if self._terminal is None:
            return
        if delta.kind is TextKind.ANSWER:
            self._terminal.answer(delta.text)
        else:
            self._terminal.reasoning(delta.text)

    def exchange(self, reason: StopReason, stats: GenerationStats | None) -> Exchange:
        """Return what there is of the reply, ended for `reason`."""
        return Exchange("".join(self._texts[TextKind.ANSWER]), "".join(self._texts[TextKind.REASONING]), reason, stats)


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
            case _:
                _turn(runner, conversation, line, terminal)
    return 0


def _turn(runner: asyncio.Runner, conversation: Conversation, text: str, terminal: Terminal) -> None:
    try:
        exchange = runner.run(conversation.ask(checked_question(text), terminal, perf_counter_ns()))
    except OutputError:
        raise
    except FirstTokenError as error:  # The conversation goes on: say what happened where it happened.
        log_failure(error)
        terminal.note(failure_text(error))
        return
    _show_end(exchange, terminal)


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
