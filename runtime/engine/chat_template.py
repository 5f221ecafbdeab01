"""Turn a conversation into a prompt by the model's own chat template.

A chat template is a program that came with the model, so it is hostile input: it renders in a sandbox, within limits of
time and memory, and whatever goes wrong with it is a `ChatTemplateError`. What a well-meant template renders is what
transformers' `apply_chat_template` renders, for every engine alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

from jinja2 import TemplateError, TemplateSyntaxError

from runtime.engine.interruption import Interrupted, Interruptible
from runtime.engine.template_limits import DEFAULT_LIMITS, Limit, LimitError, Meter, TemplateLimits
from runtime.engine.template_sandbox import Sandbox, TemplateRaisedError
from runtime.metrics.memory import resident_bytes_reader
from runtime.values.errors import ChatTemplateError
from runtime.values.prompt import Message, Role

Result = TypeVar("Result")
Variables = Mapping[str, bool | str]

NO_VARIABLES: Variables = MappingProxyType({})
CONTINUATION_TAG = "CONTINUE_FINAL_MESSAGE_TAG "
INTERRUPTION_SLACK = 0.25
"""How far beyond its limits a template may go before it is interrupted; it should have stopped by itself."""

MAX_REASON_CHARS = 300
MAX_TIME_FORMAT_CHARS = 200
OTHER_MODEL = "Choose another model, or another version of this one."
OTHER_CONVERSATION = "Change the conversation, or choose another model."
SHORTER_CONVERSATION = "Shorten the conversation, or choose another model."


class ChatTemplate:
    """A compiled chat template.

    Args:
        source: the template, as in tokenizer_config.json, chat_template.jinja or the GGUF header.
        bos_token: text of the token that begins a sequence, if the model has one.
        eos_token: text of the token that ends one.
        limits: what compiling and each rendering may take.

    Raises:
        ChatTemplateError: it is no template, or compiling it takes too much.
    """

    def __init__(
        self, source: str, *, bos_token: str = "", eos_token: str = "", limits: TemplateLimits = DEFAULT_LIMITS
    ) -> None:
        tokens = {"bos_token": bos_token, "eos_token": eos_token}
        self._tokens = {name: token for name, token in tokens.items() if token}
        self._meter = Meter(limits, resident_bytes_reader())
        if len(source) > limits.source_chars:
            raise ChatTemplateError(
                f"The model's chat template is too long: {len(source):,} characters, at most {limits.source_chars:,}.",
                OTHER_MODEL,
            )
        self._generate: Callable[[Mapping[str, object]], Iterable[str]] = self._bounded(
            lambda: Sandbox(self._meter).compiled(source)
        )

    @classmethod
    def required(
        cls, source: str | None, *, bos_token: str = "", eos_token: str = "", limits: TemplateLimits = DEFAULT_LIMITS
    ) -> ChatTemplate:
        """Return the template, or say that a model without one cannot chat.

        Raises:
            ChatTemplateError: `source` is None or blank, or as for the class.
        """
        if source is None or not source.strip():
            raise ChatTemplateError(
                "This model has no chat template.",
                'Choose a model made for chat (often named "instruct", "chat" or "it").',
            )
        return cls(source, bos_token=bos_token, eos_token=eos_token, limits=limits)

    def render(self, messages: Sequence[Message], *, now: datetime, variables: Variables = NO_VARIABLES) -> str:
        """Return the prompt for the model's next message, or for the rest of its last one.

        A system message that the template refuses is put before the first user message.

        Args:
            messages: the conversation, oldest first. If the last message is the assistant's, it is continued.
            now: the time that templates write today's date from.
            variables: switches of certain templates, such as `enable_thinking`.

        Raises:
            ChatTemplateError: the template refuses the conversation, fails, or takes too much time or memory.
        """
        if not messages:
            raise ChatTemplateError("There is no message to answer.", "Write something first.")
        try:
            return self._render(messages, now, variables)
        except _RefusedError:
            merged = _without_system_role(messages)
            if merged is None:
                raise
        return self._render(merged, now, variables)

    def _render(self, messages: Sequence[Message], now: datetime, variables: Variables) -> str:
        chat = [{"role": message.role.value, "content": message.text} for message in messages]
        continued = messages[-1].role is Role.ASSISTANT
        if continued:
            chat[-1]["content"] += CONTINUATION_TAG
        context: dict[str, object] = {
            **self._tokens,
            **variables,
            "strftime_now": lambda time_format: _date(now, time_format),
            "messages": chat,
            "tools": None,
            "documents": None,
            "add_generation_prompt": not continued,
        }
        text = self._bounded(lambda: self._collected(context))
        return _cut_after(messages[-1].text, text) if continued else text

    def _collected(self, context: Mapping[str, object]) -> str:
        pieces: list[str] = []
        chars = 0
        for piece in self._generate(context):
            chars += len(piece)
            self._meter.check_text(chars)
            self._meter.tick()
            pieces.append(piece)
        return "".join(pieces)

    def _bounded(self, work: Callable[[], Result]) -> Result:
        """Do `work` within the limits, and turn what goes wrong into a `ChatTemplateError`."""
        self._meter.start()
        watch = Interruptible(lambda: self._meter.exceeded(INTERRUPTION_SLACK) is not None)
        try:
            return watch.run(work)
        except LimitError as error:
            raise _limit_error(error.limit, self._meter.limits) from _without_frames(error)
        except Interrupted as error:
            raise _limit_error(self._meter.reached or Limit.TIME, self._meter.limits) from _without_frames(error)
        except Exception as error:  # noqa: BLE001 (the boundary: a template may raise anything)
            raise _template_error(error) from _without_frames(error)


class _RefusedError(ChatTemplateError):
    """The template itself refused the conversation."""


def _without_system_role(messages: Sequence[Message]) -> list[Message] | None:
    """Return the conversation with the system text put before the first user message, if it has both."""
    system, *others = messages
    user = next((index for index, message in enumerate(others) if message.role is Role.USER), None)
    if system.role is not Role.SYSTEM or user is None:
        return None
    others[user] = Message(Role.USER, f"{system.text}\n\n{others[user].text}")
    return others


def _cut_after(last_text: str, rendered: str) -> str:
    """Cut `rendered` after the text of its last message, as transformers' `continue_final_message` does.

    The tag was put after that text; a template that trims the text has trimmed the blank after the tag.
    """
    tag = CONTINUATION_TAG.strip()
    if tag not in rendered or last_text.strip() not in rendered:
        raise ChatTemplateError(
            "The model's chat template does not let a reply be continued.", "Send the message again for a new reply."
        )
    end = rendered.rindex(tag)
    kept = rendered[:end]
    return kept if rendered[end:].startswith(CONTINUATION_TAG) else kept.rstrip()


def _date(now: datetime, time_format: object) -> str:
    if not isinstance(time_format, str) or len(time_format) > MAX_TIME_FORMAT_CHARS:
        raise TypeError("strftime_now needs a short text")
    return now.strftime(time_format)


def _limit_error(limit: Limit, limits: TemplateLimits) -> ChatTemplateError:
    reasons = {
        Limit.TIME: (f"takes more than {limits.seconds:g} s", OTHER_MODEL),
        Limit.MEMORY: (f"takes more than {limits.memory_bytes // 1_000_000:,} MB of memory", OTHER_MODEL),
        Limit.TEXT: (f"makes a text of more than {limits.text_chars:,} characters", SHORTER_CONVERSATION),
        Limit.ITEMS: (f"makes a list of more than {limits.items:,} values", SHORTER_CONVERSATION),
        Limit.DEPTH: ("nests lists too deeply", OTHER_MODEL),
        Limit.NUMBER: ("computes a number that is too large", OTHER_MODEL),
    }
    reason, next_step = reasons[limit]
    return ChatTemplateError(f"The model's chat template was stopped: it {reason}.", next_step)


def _template_error(error: Exception) -> ChatTemplateError:
    reason = _printable(str(error)) or type(error).__name__
    match error:
        case TemplateRaisedError():
            return _RefusedError(f"The model's chat template refused the conversation: {reason}", OTHER_CONVERSATION)
        case TemplateSyntaxError():
            what = f"The model's chat template has a mistake in line {error.lineno}: {reason}"
        case RecursionError():
            what = "The model's chat template calls itself, or is nested, too deeply."
        case MemoryError():
            what = "The model's chat template asked for more memory than there is."
        case TemplateError():
            what = f"The model's chat template failed: {reason}"
        case _:
            what = f"The model's chat template failed: {type(error).__name__}: {reason}"
    return ChatTemplateError(what, OTHER_MODEL)


def _printable(text: str) -> str:
    """Return `text` on one line, without characters that a terminal obeys, and not too long."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text[:2000]).split())
    return line if len(line) <= MAX_REASON_CHARS else f"{line[:MAX_REASON_CHARS]}…"


def _without_frames(error: BaseException) -> BaseException:
    """Drop the frames that `error` holds on to: their variables may be as large as the memory limit."""
    linked: BaseException | None = error
    while linked is not None:
        linked.__traceback__ = None
        linked = linked.__cause__ or linked.__context__
    return error
