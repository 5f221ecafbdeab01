"""How MLX chooses the next token: penalties, filters, a keyed draw, and what there is to report of the choice.

The order is that of llama.cpp's default chain: penalties, top-k, top-p, min-p, temperature, draw. Each filter sees what
the one before left, at temperature 1, so the same settings mean the same on both engines.

The draw depends on the request's seed and the number of the token alone (a counter-based generator, keyed with both).
MLX's global random state is neither read nor written: a seeded reply is the same whatever else runs in between, and
nothing that one request does can reach another.
"""

from __future__ import annotations

import math
import secrets
from collections import deque
from collections.abc import Callable, Sequence

import mlx.core as mx
import msgspec

from runtime.values.sampling import MAX_SEED, SamplingParams

GREEDY_BELOW = 1e-5
"""Temperatures below this are greedy: their inverse would leave the range of 32-bit floats."""


begin_evaluation: Callable[..., None] = mx.async_eval
"""Evaluate without waiting."""


class ChosenToken(msgspec.Struct, frozen=True):
    """The natural-log probability of a token and of the most probable ones, most probable first (ids, values)."""

    logprob: float
    top_ids: tuple[int, ...]
    top_logprobs: tuple[float, ...]


class TokenChooser:
    """Chooses the tokens of one reply.

    A token is computed ahead of the one that is handed out: what belongs to it is queued here and taken when the token
    comes out. All of it is evaluated together with the token, so taking it does not wait for the next one.
    """

    def __init__(
        self, params: SamplingParams, prompt: Sequence[int], top_logprobs: int, forced_token_id: int | None = None
    ) -> None:
        self._seed = secrets.randbelow(MAX_SEED + 1) if params.seed is None else params.seed
        self._params = params
        self._forced_token_id = forced_token_id
        self._penalties = Penalties(params, prompt) if Penalties.are_asked_for(params) else None
        self._top_logprobs = top_logprobs
        self._drawn = 0
        self._raw: mx.array | None = None
        self._choices: deque[tuple[mx.array, mx.array]] = deque()
        self._finite: mx.array | None = None

    @property
    def takes_the_best(self) -> bool:
        """Whether every token from now on is just the most probable one, and nothing is to report of it."""
        first_is_known = self._drawn > 0 or self._forced_token_id is None
        return _is_greedy(self._params) and first_is_known and not (self._penalties or self._top_logprobs)

    def choose(self, logits: mx.array, last: mx.array) -> mx.array:
        """Return the next token, shape (1,), from logits of shape (1, vocabulary) that follow the token `last`, (1,).

        The first `last` is the last token of the prompt.
        """
        return self.draw(log_probabilities(self.adjusted(logits, last)))

    def adjusted(self, logits: mx.array, last: mx.array) -> mx.array:
        """Return what the draw is to see of `logits`: those of the model with the penalties; see `choose`."""
        if self._top_logprobs or self._penalties:
            logits = logits.astype(mx.float32)
        if self._top_logprobs:
            self._raw = log_probabilities(logits)[0]
        return self._penalties.applied(logits, last) if self._penalties else logits

    def draw(self, logprobs: mx.array) -> mx.array:
        """Return the next token, shape (1,), from log-probabilities of shape (1, vocabulary)."""
        token = self._next(logprobs)
        if self._drawn == 0:
            self._finite = mx.logical_not(mx.any(mx.isnan(logprobs)))
            begin_evaluation(self._finite)
        if self._raw is not None:
            self._report(self._raw, token)
        self._drawn += 1
        return token

    def _next(self, logprobs: mx.array) -> mx.array:
        if self._drawn == 0 and self._forced_token_id is not None:
            return mx.array([self._forced_token_id], dtype=mx.uint32)
        return _draw(logprobs, self._params, lambda: mx.array([self._seed, self._drawn], dtype=mx.uint32))

    def first_is_number(self) -> bool:
        """Return whether the first token's distribution held no NaN."""
        return self._finite is None or bool(self._finite.item())

    def take_choice(self) -> ChosenToken | None:
        """Return what is to report of the token that came out last; None if nothing was asked for."""
        if not self._choices:
            return None
        ids, logprobs = self._choices.popleft()
        chosen, *top = _numbers(logprobs)
        return ChosenToken(chosen, tuple(int(token_id) for token_id in _numbers(ids)), tuple(top))

    def _report(self, raw: mx.array, token: mx.array) -> None:
        count = min(self._top_logprobs, raw.shape[-1])
        ids = _most_probable(raw[None], count)[0]
        logprobs = raw[mx.concatenate([token, ids])]
        begin_evaluation(ids, logprobs)
        self._choices.append((ids, logprobs))


def _numbers(array: mx.array) -> list[float]:
    values = array.tolist()
    return [value for value in values if isinstance(value, int | float)] if isinstance(values, list) else []


class Penalties:
    """The penalties of llama.cpp: one window, which begins in the prompt, for all three of them."""

    def __init__(self, params: SamplingParams, prompt: Sequence[int]) -> None:
        self._params = params
        self._window = params.penalty_window_tokens
        self._recent = mx.array(list(prompt[:-1][-self._window :]), dtype=mx.uint32)

    @staticmethod
    def are_asked_for(params: SamplingParams) -> bool:
        """Return whether they change anything."""
        return (params.repetition_penalty, params.presence_penalty, params.frequency_penalty) != (1.0, 0.0, 0.0)

    def applied(self, logits: mx.array, last: mx.array) -> mx.array:
        """Return `logits`, which follow the token `last`, with the tokens of the window penalized."""
        params = self._params
        self._recent = mx.concatenate([self._recent, last.astype(mx.uint32)])[-self._window :]
        counts = mx.zeros(logits.shape[-1]).at[self._recent].add(1.0)
        repeated = mx.where(logits <= 0, logits * params.repetition_penalty, logits / params.repetition_penalty)
        penalized = repeated - counts * params.frequency_penalty - params.presence_penalty
        return mx.where(counts > 0, penalized, logits)


def log_probabilities(logits: mx.array) -> mx.array:
    """Return the natural-log probabilities of each row of logits."""
    return logits - mx.logsumexp(logits, axis=-1, keepdims=True)


def _is_greedy(params: SamplingParams) -> bool:
    return params.temperature < GREEDY_BELOW or params.top_k == 1


def _draw(logprobs: mx.array, params: SamplingParams, key: Callable[[], mx.array]) -> mx.array:
    if _is_greedy(params):
        return mx.argmax(logprobs, axis=-1)
    logprobs = logprobs.astype(mx.float32)
    limits_k = 0 < params.top_k < logprobs.shape[-1]
    if not limits_k and params.top_p >= 1:
        return mx.random.categorical(_at_temperature(_min_p(logprobs, params), params), key=key())
    ids = _most_probable(logprobs, params.top_k if limits_k else logprobs.shape[-1])
    candidates = mx.take_along_axis(logprobs, ids, axis=-1)
    candidates = _min_p(_top_p(candidates, params), params)
    place = mx.random.categorical(_at_temperature(candidates, params), key=key())
    return mx.take_along_axis(ids, place[:, None], axis=-1)[:, 0]


def _most_probable(logprobs: mx.array, count: int) -> mx.array:
    """Return the ids of the `count` most probable tokens, most probable first; (1, vocabulary) → (1, count)."""
    if count == logprobs.shape[-1]:
        return mx.argsort(-logprobs, axis=-1)
    ids = mx.argpartition(-logprobs, kth=count - 1, axis=-1)[:, :count]
    order = mx.argsort(-mx.take_along_axis(logprobs, ids, axis=-1), axis=-1)
    return mx.take_along_axis(ids, order, axis=-1)


def _top_p(candidates: mx.array, params: SamplingParams) -> mx.array:
    """Keep the first of the sorted `candidates` whose probability together reaches top_p; the first always stays."""
    if params.top_p >= 1:
        return candidates
    probabilities = mx.softmax(candidates, axis=-1)
    before = mx.cumsum(probabilities, axis=-1) - probabilities
    keep = (before < params.top_p) | (mx.arange(candidates.shape[-1]) == 0)
    return mx.where(keep, candidates, -math.inf)


def _min_p(candidates: mx.array, params: SamplingParams) -> mx.array:
    if params.min_p == 0:
        return candidates
    least = mx.max(candidates, axis=-1, keepdims=True) + math.log(params.min_p)
    return mx.where(candidates >= least, candidates, -math.inf)


def _at_temperature(candidates: mx.array, params: SamplingParams) -> mx.array:
    return candidates * (1 / params.temperature)
