"""From time stamps to figures: TTFT and its parts, prefill and decode speed.

Pure functions over `time.perf_counter_ns` stamps. Every number the product shows about speed is computed here, from
stamps taken where the token was made, so that a busy consumer cannot change it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from runtime.values.generation import TtftParts

NS_PER_MS = 1e6
NS_PER_S = 1e9


class PromptTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """When each part of a request up to its first token ended, in ns.

    Attributes:
        submitted: the user's submit.
        load_started: when loading of the model began; may lie before the submit.
        load_ended: when the model was ready; may lie before the submit.
        started: the engine took the request up.
        tokenized: template and tokenizer were done.
        cache_restored: what the KV cache held was ready.
        prefilled: the last prompt token was evaluated.
        waited: how long it waited between the last two marks while the engine worked for other requests.
    """

    submitted: int
    load_started: int
    load_ended: int
    started: int
    tokenized: int
    cache_restored: int
    prefilled: int
    waited: int = 0


def ttft_parts(timeline: PromptTimeline, first_token: int) -> TtftParts:
    """Split the time to the first token into its parts; they add up to `first_token - timeline.submitted`.

    Loading counts only as far as the request waited for it: the overlap of [load_started, load_ended] with
    [submitted, started]. What is left of the wait is queueing, and so is waiting for others while the prompt is read.
    """
    waited = timeline.started - timeline.submitted
    load_end = min(timeline.load_ended, timeline.started)
    load = max(0, load_end - max(timeline.load_started, timeline.submitted))
    return TtftParts(
        queue_ms=(waited - load + timeline.waited) / NS_PER_MS,
        load_ms=load / NS_PER_MS,
        tokenize_ms=(timeline.tokenized - timeline.started) / NS_PER_MS,
        cache_restore_ms=(timeline.cache_restored - timeline.tokenized) / NS_PER_MS,
        prefill_ms=(timeline.prefilled - timeline.cache_restored - timeline.waited) / NS_PER_MS,
        first_decode_ms=(first_token - timeline.prefilled) / NS_PER_MS,
    )


def prefill_tokens_per_second(evaluated_tokens: int, timeline: PromptTimeline) -> float | None:
    """Return evaluated prompt tokens ÷ prefill seconds; None where nothing was evaluated or no time passed."""
    elapsed = timeline.prefilled - timeline.cache_restored - timeline.waited
    if evaluated_tokens <= 0 or elapsed <= 0:
        return None
    return evaluated_tokens * NS_PER_S / elapsed


def decode_tokens_per_second(token_times: Sequence[int]) -> float | None:
    """Return (n − 1) ÷ (last − first) in tokens per second; None for fewer than two tokens or no elapsed time."""
    if len(token_times) < 2:
        return None
    elapsed = token_times[-1] - token_times[0]
    return (len(token_times) - 1) * NS_PER_S / elapsed if elapsed > 0 else None


def live_tokens_per_second(token_times: Sequence[int], now: int, window_ns: int = 1_000_000_000) -> float | None:
    """Return the decode speed over the last `window_ns` up to `now`, both in ns.

    Intervals between tokens are counted, as in `decode_tokens_per_second`, so a window holding fewer than two tokens
    has no figure: a first sample over a near-zero interval would be a wild number, not a speed. A stall shows: the
    time since the last token counts once it is longer than the mean interval in the window.
    """
    recent = [time for time in token_times if now - window_ns <= time <= now]
    if len(recent) < 2:
        return None
    intervals = len(recent) - 1
    elapsed = recent[-1] - recent[0]
    if elapsed <= 0:
        return None
    stalled = max(0, (now - recent[-1]) - elapsed // intervals)
    return intervals * NS_PER_S / (elapsed + stalled)
