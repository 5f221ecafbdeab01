"""What llama-server is sent and what it answers: the JSON bodies, as typed values.

Every sampler the product does not offer is left out of the chain and switched off besides, so that neither a model's
recommended settings nor the server's defaults (top-k 40, top-p 0.95, min-p 0.05) change what the user asked for.
Stop strings are not sent: the engines match them in one place, alike.
"""

from __future__ import annotations

import secrets

import msgspec

from runtime.engine.llamacpp_http import ServerRefusal
from runtime.values.errors import InternalError, ModelBrokenError
from runtime.values.generation import GenerateRequest, TokenChoice, TokenLogprob
from runtime.values.sampling import SamplingParams

COMPLETION_PATH = "/completion"
TOKENIZE_PATH = "/tokenize"
DETOKENIZE_PATH = "/detokenize"
PROPS_PATH = "/props"
HEALTH_PATH = "/health"
SLOT_PATH = "/slots/{slot}?action={action}"

DRAW_A_SEED = 2**32 - 1
"""llama.cpp takes this one seed for "draw one"; it is replaced, so that every seed repeats."""

CERTAIN = 10_000.0
"""Added to a logit, which are tens at most."""

NO_LIMIT = -1
ANY_SLOT = -1
LAST_EVENT_FIELDS = ("content", "tokens_predicted", "stop", "stop_type", "timings")
"""What the last event has to say; by default it repeats the whole prompt and all settings."""


class CompletionBody(msgspec.Struct, frozen=True, kw_only=True):
    """A request for text; field names are llama-server's."""

    prompt: tuple[int, ...]
    n_predict: int
    samplers: tuple[str, ...]
    temperature: float
    seed: int
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    repeat_last_n: int = 0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    ignore_eos: bool = False
    n_probs: int = 0
    logit_bias: tuple[tuple[int, float], ...] = ()
    cache_prompt: bool = True
    id_slot: int = ANY_SLOT
    stream: bool = True
    return_progress: bool = True
    timings_per_token: bool = True
    response_fields: tuple[str, ...] = LAST_EVENT_FIELDS
    post_sampling_probs: bool = False
    mirostat: int = 0
    typical_p: float = 1.0
    top_n_sigma: float = -1.0
    xtc_probability: float = 0.0
    dry_multiplier: float = 0.0
    dynatemp_range: float = 0.0


def completion_body(
    request: GenerateRequest, token_ids: tuple[int, ...], room_tokens: int, slot: int | None = None
) -> CompletionBody:
    """Return the body for `request` with the prompt `token_ids`.

    Args:
        request: a checked request.
        token_ids: its prompt.
        room_tokens: tokens that the context still holds.
        slot: where it is to run; None leaves that to the server.
    """
    sampling = request.sampling
    limit = room_tokens if request.max_tokens is None else min(request.max_tokens, room_tokens)
    greedy = sampling.temperature == 0
    return CompletionBody(
        prompt=token_ids,
        n_predict=limit,
        samplers=_samplers(sampling, greedy=greedy),
        temperature=sampling.temperature,
        seed=_seed(sampling.seed),
        top_k=1 if greedy else sampling.top_k,
        top_p=sampling.top_p,
        min_p=sampling.min_p,
        repeat_penalty=sampling.repetition_penalty,
        repeat_last_n=sampling.penalty_window_tokens,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
        ignore_eos=request.ignore_end_token,
        n_probs=request.top_logprobs,
        logit_bias=_forcing(request.forced_token_id),
        cache_prompt=request.reuse_cache,
        id_slot=ANY_SLOT if slot is None else slot,
    )


def probe_body(token_id: int) -> CompletionBody:
    """Return the body that asks for one token after `token_id`, with the two most probable ones."""
    return CompletionBody(
        prompt=(token_id,),
        n_predict=1,
        samplers=("top_k",),
        temperature=0.0,
        top_k=1,
        seed=0,
        n_probs=2,
        ignore_eos=True,
        cache_prompt=False,
        stream=False,
        return_progress=False,
        timings_per_token=False,
        response_fields=("completion_probabilities",),
    )


def reading_body(token_ids: tuple[int, ...], slot: int | None) -> CompletionBody:
    """Return the body that has a slot read `token_ids`, and say first how many of them it held already."""
    return CompletionBody(
        prompt=token_ids,
        n_predict=1,
        samplers=("top_k",),
        temperature=0.0,
        top_k=1,
        seed=0,
        ignore_eos=True,
        id_slot=ANY_SLOT if slot is None else slot,
    )


def _samplers(sampling: SamplingParams, *, greedy: bool) -> tuple[str, ...]:
    """Return the chain: penalties, then the filters on the model's own distribution, then the temperature."""
    penalized = sampling.repetition_penalty != 1 or sampling.presence_penalty != 0 or sampling.frequency_penalty != 0
    penalties = ("penalties",) if penalized else ()
    if greedy:
        return (*penalties, "top_k")
    filters = (("top_k", sampling.top_k > 0), ("top_p", sampling.top_p < 1), ("min_p", sampling.min_p > 0))
    return (*penalties, *(name for name, on in filters if on), "temperature")


def _forcing(token_id: int | None) -> tuple[tuple[int, float], ...]:
    """Return the bias that has one token chosen. It acts on the choice alone: probabilities are reported without it."""
    return () if token_id is None else ((token_id, CERTAIN),)


def _seed(seed: int | None) -> int:
    if seed is None:
        return secrets.randbelow(DRAW_A_SEED)
    return 0 if seed == DRAW_A_SEED else seed


class Progress(msgspec.Struct, frozen=True):
    """How far the prompt is read; `processed` includes `cache`."""

    total: int
    cache: int
    processed: int


class Timings(msgspec.Struct, frozen=True):
    """The server's own clock, in ms: how long reading the prompt has taken, and the time since the first token."""

    prompt_ms: float = 0.0
    predicted_ms: float = 0.0


class Alternative(msgspec.Struct, frozen=True):
    """A token that might have been; the log-probability is null where the logits are not numbers."""

    id: int
    token: str
    logprob: float | None


class Probabilities(msgspec.Struct, frozen=True):
    """The chosen token and the most probable ones."""

    id: int
    token: str
    logprob: float | None
    top_logprobs: tuple[Alternative, ...] = ()

    def as_choice(self) -> TokenChoice:
        """Return it in the product's terms.

        Raises:
            ModelBrokenError: the logits are not numbers.
        """
        top = tuple(TokenLogprob(other.id, other.token, number(other.logprob)) for other in self.top_logprobs)
        return TokenChoice(TokenLogprob(self.id, self.token, number(self.logprob)), top)


def number(logprob: float | None) -> float:
    """Return `logprob`.

    Raises:
        ModelBrokenError: it is null, llama-server's way to write NaN.
    """
    if logprob is None:
        raise not_numbers()
    return logprob


def not_numbers() -> ModelBrokenError:
    """Return the error for a model that computes NaN."""
    return ModelBrokenError(
        "The model computes values that are not numbers: its weights are damaged.", "Download the model again."
    )


class CompletionEvent(msgspec.Struct, frozen=True):
    """One event of a stream: progress on the prompt, new text, or the end.

    A character whose bytes are spread over several tokens comes with the last of them, so one event may stand for
    several tokens: `tokens_predicted` counts them, the end token included. `tokens` names the last of them.
    """

    content: str = ""
    tokens: tuple[int, ...] = ()
    tokens_predicted: int = 0
    stop: bool = False
    stop_type: str = ""
    prompt_progress: Progress | None = None
    timings: Timings | None = None
    completion_probabilities: tuple[Probabilities, ...] = ()
    error: ServerRefusal | None = None


class Probe(msgspec.Struct, frozen=True):
    """The answer to `probe_body`."""

    completion_probabilities: tuple[Probabilities, ...] = ()


class TokenizeBody(msgspec.Struct, frozen=True):
    """Text to turn into token ids; markup such as <|im_start|> becomes the token it names."""

    content: str
    add_special: bool
    parse_special: bool = True


class Tokens(msgspec.Struct, frozen=True):
    """The answer to `TokenizeBody`."""

    tokens: tuple[int, ...]


class DetokenizeBody(msgspec.Struct, frozen=True):
    """Token ids to turn into text."""

    tokens: tuple[int, ...]


class Text(msgspec.Struct, frozen=True):
    """The answer to `DetokenizeBody`."""

    content: str


class SlotFile(msgspec.Struct, frozen=True):
    """A file to save a slot to, or to restore it from: its name within the folder that the server was given."""

    filename: str


class SlotSaved(msgspec.Struct, frozen=True):
    """The answer to saving a slot: tokens and bytes in the file."""

    n_saved: int
    n_written: int


class Props(msgspec.Struct, frozen=True):
    """What a server says of itself."""

    build_info: str = ""


class EventReader:
    """Decodes the events of a stream."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(CompletionEvent)

    def event(self, payload: bytes) -> CompletionEvent:
        """Return the event that `payload` holds.

        Raises:
            FirstTokenError: it is not understood, or it is the server's refusal to go on.
        """
        try:
            event = self._decoder.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise not_understood(payload) from error
        if event.error is not None:
            raise event.error.as_error()
        return event


def not_understood(payload: bytes) -> InternalError:
    """Return the error for an answer of the wrong form."""
    return InternalError("The inference server's answer was not understood.", detail=repr(payload[:500]))
