"""From a stored message to what the transcript shows of it: figures, notices, and what can be done."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from desktop.chat.transcript.message_view import REPLY_ACTIONS, USER_ACTIONS, MessageAction, MessageView
from desktop.chat.wait_words import cause, prompt_text
from runtime.values.chat import ChatMessage, MessageState
from runtime.values.generation import GenerationStats, PromptProgress, StopReason
from runtime.values.prompt import Role
from runtime.values.wording import milliseconds_text, quantization_text, speed_text

CONTEXT = "Message"
ENDED_EARLY = (StopReason.LENGTH, StopReason.CONTEXT_FULL)
MS_PER_S = 1000.0


def tr(text: str) -> str:
    """Return `text` in the user's language."""
    return QCoreApplication.translate(CONTEXT, text)


def message_view(
    message: ChatMessage, status: str = "", *, boundary: str = "", drops_oldest: bool = False
) -> MessageView:
    """Return how `message` is shown.

    Args:
        message: what there is of it.
        status: what goes on while a reply has no text yet.
        boundary: what is said below it of all messages up to it.
        drops_oldest: whether the chat goes on without its oldest messages where its context is full.
    """
    return MessageView(
        id=message.id,
        role=message.role,
        text=message.text,
        state=message.state,
        reasoning=message.reasoning,
        reasoning_label=reasoning_label(message.reasoning_ms),
        figures=figures(message),
        figures_details=figures_details(message),
        status=status if message.state is MessageState.STREAMING else "",
        notice=notice(message, drops_oldest=drops_oldest),
        boundary=boundary,
        actions=actions(message),
        branch_index=message.sibling_index,
        branch_count=len(message.sibling_ids),
    )


def actions(message: ChatMessage) -> frozenset[MessageAction]:
    """Return what can be asked for beside `message`."""
    if message.role is Role.USER:
        return USER_ACTIONS
    is_measured = message.stats is not None and message.stats.ttft_parts is not None
    return _reply_actions(message) | ({MessageAction.EXPLAIN_WAIT} if is_measured else frozenset())


def _reply_actions(message: ChatMessage) -> frozenset[MessageAction]:
    match message.state:
        case MessageState.STREAMING:
            return frozenset()
        case MessageState.FAILED:
            failed = frozenset({MessageAction.RETRY, MessageAction.COPY, MessageAction.DELETE})
            return failed | {MessageAction.CONTINUE} if message.text else failed
        case MessageState.STOPPED | MessageState.INTERRUPTED:
            return REPLY_ACTIONS | {MessageAction.CONTINUE} if message.text else REPLY_ACTIONS
        case MessageState.COMPLETE:
            ended_early = message.stop_reason in ENDED_EARLY
            return REPLY_ACTIONS | {MessageAction.CONTINUE} if ended_early else REPLY_ACTIONS


def reasoning_label(reasoning_ms: float | None) -> str:
    """Return what folded reasoning says of itself."""
    if reasoning_ms is None:
        return tr("Reasoning")
    return tr("Thought for {time}").format(time=f"{reasoning_ms / MS_PER_S:.1f} s")


def figures(message: ChatMessage) -> str:
    """Return the line under a reply: time to first token, speed, length, and what was read for it."""
    stats = message.stats
    if stats is None:
        return ""
    parts = [milliseconds_text(stats.ttft_ms), speed_text(stats.decode_tokens_per_second)]
    parts.append(tr("{count} tokens").format(count=f"{stats.generated_tokens:,}"))
    return " · ".join([*parts, read_text(stats)])


def read_text(stats: GenerationStats) -> str:
    """Return how many tokens of the prompt were evaluated, and how many were cached."""
    read = f"{stats.prompt_tokens - stats.cached_tokens:,}"
    if not stats.cached_tokens:
        return tr("{read} read").format(read=read)
    return tr("{read} read, {cached} cached").format(read=read, cached=f"{stats.cached_tokens:,}")


def figures_details(message: ChatMessage) -> str:
    """Return the rest of the figures, a line each."""
    stats = message.stats
    if stats is None:
        return ""
    lines = [
        tr("First token after {time}").format(time=milliseconds_text(stats.ttft_ms)),
        tr("Prefill {prefill}, decode {decode}").format(
            prefill=speed_text(stats.prefill_tokens_per_second), decode=speed_text(stats.decode_tokens_per_second)
        ),
        prompt_text(stats),
        *([cause(stats, stats.ttft_parts)] if stats.ttft_parts is not None else []),
        tr("Ended: {reason}").format(reason=stop_reason_text(message)),
        f"{stats.model}, {quantization_text(stats.quantization)}",
    ]
    return "\n".join(lines)


def stop_reason_text(message: ChatMessage) -> str:
    """Return why a reply ended."""
    match message.stop_reason:
        case StopReason.END:
            return tr("the model was done")
        case StopReason.STOP_STRING:
            return tr("at a stop string")
        case StopReason.LENGTH:
            return tr("at the token limit")
        case StopReason.CONTEXT_FULL:
            return tr("the context is full")
        case StopReason.CANCELLED:
            return tr("stopped")
        case None:
            return tr("stopped") if message.state is MessageState.STOPPED else tr("early")


def notice(message: ChatMessage, *, drops_oldest: bool = False) -> str:
    """Return what has to be said about the end of a reply; empty where it speaks for itself."""
    match message.state:
        case MessageState.FAILED if message.error is not None:
            return f"{message.error.what} {message.error.next_step}".strip()
        case MessageState.FAILED:
            return tr("The reply failed.")
        case MessageState.INTERRUPTED:
            return tr("Interrupted: the app ended while this was written.")
        case MessageState.COMPLETE if message.stop_reason is StopReason.CONTEXT_FULL and drops_oldest:
            return tr("The context is full. Continue goes on, and leaves out the oldest messages.")
        case MessageState.COMPLETE if message.stop_reason is StopReason.CONTEXT_FULL:
            return tr("The context is full. Start a new chat, or load the model with a longer context.")
        case _:
            return ""


def left_out_text() -> str:
    """Return what is said below the newest message that the model is not sent any more."""
    return tr("Messages up to here are not sent to the model any more")


def left_out_next_text() -> str:
    """Return what is said below the newest message that the model will not be sent with the next one."""
    return tr("From your next message on, messages up to here are not sent to the model")


def progress_text(progress: PromptProgress) -> str:
    """Return how far the prompt is read."""
    share = progress.done / max(1, progress.total)
    return tr("Reading the prompt · {percent} %").format(percent=round(100 * share))
