"""Scoring a text with a model: the log-probability of each token after those before it, and of the likeliest others.

llama-server reports log-probabilities of generated tokens only, never of a prompt's, so every token is generated: one
request a token, whose prompt is the text before and whose choice is forced. The KV cache keeps what was read, so a
request evaluates one token. Both engines are asked alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from runtime.bench.quality import LEAST_TOKENS, QualityText
from runtime.bench.requests import RunStoppedError, StopSignal, engine_request
from runtime.client.base import EngineClient
from runtime.values.errors import InvalidRequestError, ModelUnsupportedError, error_from
from runtime.values.generation import Cancelled, Failed, TextDelta, TokenChoice
from runtime.values.model import LoadedModel
from runtime.values.prompt import TextPrompt, TokenPrompt


class Scored(msgspec.Struct, frozen=True):
    """A text cut into tokens, and what the model said of each but the first.

    None stands where the engine does not say: of end tokens, and with llama.cpp of tokens that are half a character.
    """

    token_ids: tuple[int, ...]
    choices: tuple[TokenChoice | None, ...]

    @property
    def known(self) -> tuple[TokenChoice, ...]:
        """What the model said, where it said anything."""
        return tuple(choice for choice in self.choices if choice is not None)


async def score(
    client: EngineClient,
    model: LoadedModel,
    text: QualityText,
    most_tokens: int,
    stop: StopSignal,
    on_token: Callable[[int, int], None] = lambda _done, _total: None,
) -> Scored:
    """Score the beginning of a text, up to `most_tokens` tokens or what the context holds.

    `on_token` is told how many tokens are done, of how many.

    Raises:
        FirstTokenError: the model failed, or the text has fewer than two tokens.
        RunStoppedError: the run was cancelled.
    """
    limit = min(most_tokens + 1, model.context_limit_tokens - 1)
    token_ids = (await client.tokenize(TextPrompt(text.text)))[:limit]
    if len(token_ids) < LEAST_TOKENS:
        raise InvalidRequestError(f'The text "{text.name}" is too short to score.', "Choose a longer one.")
    return await score_tokens(client, model, token_ids, stop, on_token)


async def score_tokens(
    client: EngineClient,
    model: LoadedModel,
    token_ids: Sequence[int],
    stop: StopSignal,
    on_token: Callable[[int, int], None] = lambda _done, _total: None,
) -> Scored:
    """Score token ids; see `score`.

    Raises:
        FirstTokenError: the model failed.
        RunStoppedError: the run was cancelled.
    """
    choices: list[TokenChoice | None] = []
    alternatives = min(model.capabilities.max_top_logprobs, model.vocabulary_size)
    for place in range(1, len(token_ids)):
        choices.append(await _score_one(client, tuple(token_ids[:place]), token_ids[place], alternatives, stop))
        on_token(place, len(token_ids) - 1)
    scored = Scored(tuple(token_ids), tuple(choices))
    if not scored.known:
        raise ModelUnsupportedError("The engine gave no probabilities for this text.", "Choose another text.")
    return scored


async def _score_one(
    client: EngineClient, before: tuple[int, ...], token_id: int, alternatives: int, stop: StopSignal
) -> TokenChoice | None:
    stop.check()
    request = msgspec.structs.replace(
        engine_request(TokenPrompt(before), 1, reuse_cache=True),
        top_logprobs=alternatives,
        forced_token_id=token_id,
        streams=True,
    )
    reply = await client.generate(request)
    stop.watch(reply)
    found: TokenChoice | None = None
    try:
        async for event in reply:
            match event:
                case TextDelta(choices=choices) if choices:
                    found = choices[0]
                case Failed(error=report):
                    raise error_from(report)
                case Cancelled():
                    raise RunStoppedError
                case _:
                    pass
    finally:
        stop.forget(reply)
    return found if found is not None and found.chosen.token_id == token_id else None
