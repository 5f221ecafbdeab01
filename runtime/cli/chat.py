"""`first-token chat`: one answer, or a conversation in the terminal."""

from __future__ import annotations

import argparse
import asyncio
import sys
from time import perf_counter_ns
from typing import TYPE_CHECKING, assert_never

import msgspec

from runtime.cli.figures import figures_lines, reply_record
from runtime.cli.terminal import Terminal
from runtime.client.base import Reply
from runtime.client.launch import choose_model, make_supervisor, model_to_load
from runtime.client.supervisor import Supervisor
from runtime.config.paths import AppPaths
from runtime.values.errors import InvalidRequestError, UserFacingError, error_from
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

if TYPE_CHECKING:
    from argparse import _SubParsersAction

PROMPT_SIGN = "> "
HELP = "/clear forgets the conversation, /help shows this, /exit or Ctrl+D leaves; Ctrl+C stops a reply."
EXIT_INTERRUPTED = 130


def add_chat_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "chat",
        help="ask a model",
        description="Ask a model on this machine. Without PROMPT: a conversation. Answers go to stdout, the rest to"
        " stderr.",
    )
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help='the question; "-" reads it from stdin')
    parser.add_argument(
        "--model",
        metavar="M",
        help="demo (default), demo:int4, demo:int8, an installed model's name, an MLX directory or a GGUF file",
    )
    parser.add_argument(
        "--engine", choices=("auto", "mlx", "llamacpp"), help="auto: MLX on Apple Silicon, else llama.cpp"
    )
    parser.add_argument("--system", metavar="S", help="system prompt")
    parser.add_argument(
        "--max-tokens", type=int, metavar="N", help="most tokens to generate (default: to the context's end)"
    )
    parser.add_argument("--temperature", type=float, default=0.7, metavar="T", help="0 is greedy (default: 0.7)")
    parser.add_argument(
        "--top-p", type=float, default=1.0, metavar="P", help="keep the likeliest tokens up to this probability"
    )
    parser.add_argument("--top-k", type=int, default=0, metavar="K", help="keep the K likeliest tokens (0: all)")
    parser.add_argument(
        "--min-p", type=float, default=0.0, metavar="P", help="drop tokens below this share of the likeliest"
    )
    parser.add_argument("--seed", type=int, metavar="S", help="makes the answer repeatable")
    parser.add_argument(
        "--context", type=int, metavar="N", help="context length in tokens (default: what the memory bears)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with the text and every figure")
    parser.set_defaults(run=run_chat)


def run_chat(options: argparse.Namespace, paths: AppPaths) -> int:
    """Answer once, or converse until the user leaves; return the exit code."""
    sampling = checked(sampling_from(options))
    if options.max_tokens is not None and options.max_tokens < 1:
        raise InvalidRequestError(f"The token limit cannot be {options.max_tokens}.", "Ask for at least 1 token.")
    model, settings = choose_model(options.model, options.engine, paths)
    load = model_to_load(model, settings, LoadOptions(context_tokens=options.context))
    conversation = Conversation(make_supervisor(), sampling, options.system, options.max_tokens)
    submitted_ns = perf_counter_ns()
    with asyncio.Runner() as runner:
        try:
            if options.prompt is None and not options.json:
                conversation.model = runner.run(conversation.client.load(load))
                return converse(runner, conversation, Terminal(sys.stdout, sys.stderr))
            text = sys.stdin.read() if options.prompt in (None, "-") else options.prompt
            # Loading belongs to what the user waits for: the submit was before it.
            conversation.model = runner.run(conversation.client.load(load))
            return answer_once(runner, conversation, text, submitted_ns, as_json=options.json)
        finally:
            runner.run(conversation.client.close())


def sampling_from(options: argparse.Namespace) -> SamplingParams:
    """Return the sampler settings among the options."""
    return SamplingParams(
        temperature=options.temperature,
        top_p=options.top_p,
        top_k=options.top_k,
        min_p=options.min_p,
        seed=options.seed,
    )


class Exchange(msgspec.Struct, frozen=True):
    """A reply that has ended, and how."""

    text: str
    reasoning: str
    stop_reason: StopReason
    stats: GenerationStats | None


class Conversation:
    """The messages so far and the client that answers them."""

    def __init__(
        self, client: Supervisor, sampling: SamplingParams, system: str | None, max_tokens: int | None
    ) -> None:
        self.client = client
        self.model: LoadedModel | None = None
        self._sampling = sampling
        self._max_tokens = max_tokens
        self._opening = (Message(Role.SYSTEM, system),) if system else ()
        self._messages = self._opening

    def clear(self) -> None:
        """Forget what was said; the system prompt stays."""
        self._messages = self._opening

    async def ask(self, text: str, terminal: Terminal | None, submitted_ns: int) -> Exchange:
        """Send `text`, show the reply as it streams, and return it; an interrupt stops it and keeps what there is.

        Raises:
            UserFacingError: the reply failed. The question is then not part of the conversation.
        """
        if not text.strip():
            raise InvalidRequestError("The message is empty.", "Write something first.")
        messages = (*self._messages, Message(Role.USER, text))
        reply = await self.client.generate(
            GenerateRequest(
                id=0,
                prompt=ChatPrompt(messages),
                submitted_ns=submitted_ns,
                max_tokens=self._max_tokens,
                sampling=self._sampling,
            )
        )
        exchange = await _follow(reply, terminal)
        self._messages = (*messages, Message(Role.ASSISTANT, exchange.text))
        return exchange


async def _follow(reply: Reply, terminal: Terminal | None) -> Exchange:
    transcript = _Transcript(terminal)
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
                    return self._exchange(reason, stats)
                case Cancelled(stats=stats):
                    return self._exchange(StopReason.CANCELLED, stats)
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

    def _exchange(self, reason: StopReason, stats: GenerationStats | None) -> Exchange:
        return Exchange("".join(self._texts[TextKind.ANSWER]), "".join(self._texts[TextKind.REASONING]), reason, stats)


def answer_once(
    runner: asyncio.Runner, conversation: Conversation, text: str, submitted_ns: int, *, as_json: bool
) -> int:
    """Answer `text`, print the figures (stderr) or one JSON object (stdout), and return the exit code."""
    terminal = Terminal(sys.stdout, sys.stderr)
    _announce(conversation, terminal)
    exchange = runner.run(conversation.ask(text, None if as_json else terminal, submitted_ns))
    if as_json:
        if exchange.stats is not None:
            print_json(conversation, exchange, exchange.stats)
    else:
        terminal.end_answer()
        _show_figures(exchange, terminal)
    return EXIT_INTERRUPTED if exchange.stop_reason is StopReason.CANCELLED else 0


def print_json(conversation: Conversation, exchange: Exchange, stats: GenerationStats) -> None:
    """Print one JSON object that describes the whole reply."""
    record = reply_record(
        exchange.text,
        exchange.reasoning,
        exchange.stop_reason,
        stats,
        is_demo=conversation.model is not None and conversation.model.is_demo,
    )
    sys.stdout.write(msgspec.json.encode(record).decode() + "\n")


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
        exchange = runner.run(conversation.ask(text, terminal, perf_counter_ns()))
    except UserFacingError as error:  # The conversation goes on: say what happened where it happened.
        terminal.note(f"{error.what} {error.next_step}")
        return
    terminal.end_answer()
    _show_figures(exchange, terminal)


def _read_line() -> str | None:
    """Return the next line; None at the end of input or on Ctrl+C at the prompt."""
    try:
        return input(PROMPT_SIGN if sys.stdin.isatty() else "")
    except (EOFError, KeyboardInterrupt):
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


def _show_figures(exchange: Exchange, terminal: Terminal) -> None:
    if exchange.stop_reason not in (StopReason.END, StopReason.STOP_STRING):
        terminal.note(f"stopped: {exchange.stop_reason.value.replace('_', ' ')}")
    for line in figures_lines(exchange.stats) if exchange.stats is not None else ():
        terminal.note(line)
