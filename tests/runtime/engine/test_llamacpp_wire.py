"""What llama-server is sent, and what is made of its answers."""

from __future__ import annotations

import msgspec
import pytest

from runtime.engine.llamacpp_wire import EventReader, Probabilities, completion_body
from runtime.values.errors import ContextOverflowError, InternalError, ModelBrokenError
from runtime.values.generation import GenerateRequest
from runtime.values.prompt import TokenPrompt
from runtime.values.sampling import GREEDY, MAX_SEED, SamplingParams

PROMPT = (1, 2, 3)


def request(sampling: SamplingParams = GREEDY, max_tokens: int | None = None) -> GenerateRequest:
    return GenerateRequest(id=1, prompt=TokenPrompt(PROMPT), submitted_ns=0, sampling=sampling, max_tokens=max_tokens)


@pytest.mark.parametrize(
    ("sampling", "chain"),
    [
        (GREEDY, ("top_k",)),
        (SamplingParams(temperature=0.0, repetition_penalty=1.1), ("penalties", "top_k")),
        (SamplingParams(), ("temperature",)),
        (SamplingParams(top_k=5, top_p=0.5, min_p=0.1), ("top_k", "top_p", "min_p", "temperature")),
        (SamplingParams(presence_penalty=0.5), ("penalties", "temperature")),
        (SamplingParams(frequency_penalty=-0.5), ("penalties", "temperature")),
    ],
)
def test_only_samplers_that_were_asked_for_are_in_the_chain(sampling: SamplingParams, chain: tuple[str, ...]) -> None:
    assert completion_body(request(sampling), PROMPT, 100).samplers == chain


def test_greedy_takes_the_most_probable_token() -> None:
    assert completion_body(request(SamplingParams(temperature=0.0, top_k=50)), PROMPT, 100).top_k == 1


@pytest.mark.parametrize(("max_tokens", "sent"), [(None, 100), (7, 7), (1000, 100)])
def test_no_more_is_asked_for_than_the_context_holds(max_tokens: int | None, sent: int) -> None:
    assert completion_body(request(max_tokens=max_tokens), PROMPT, 100).n_predict == sent


def test_seeds_are_never_the_one_that_means_random() -> None:
    assert completion_body(request(SamplingParams(seed=MAX_SEED)), PROMPT, 9).seed == 0
    assert completion_body(request(SamplingParams(seed=5)), PROMPT, 9).seed == 5
    drawn = {completion_body(request(SamplingParams()), PROMPT, 9).seed for _ in range(20)}
    assert len(drawn) > 15


def test_stop_strings_are_not_sent() -> None:
    stopping = msgspec.structs.replace(request(), stop_strings=("END",))
    assert b"END" not in msgspec.json.encode(completion_body(stopping, PROMPT, 9))


def test_events_are_read_and_errors_raised() -> None:
    reader = EventReader()
    event = reader.event(b'{"index":0,"content":"hi","tokens":[5],"stop":false,"tokens_predicted":3}')
    assert (event.content, event.tokens_predicted, event.stop) == ("hi", 3, False)
    with pytest.raises(ContextOverflowError):
        reader.event(b'{"error":{"code":400,"message":"long","type":"exceed_context_size_error"}}')
    for nonsense in (b"", b"[1]", b'{"content":1}', b'{"content":"\xff"}'):
        with pytest.raises(InternalError):
            reader.event(nonsense)


def test_null_for_a_logprob_means_a_broken_model() -> None:
    with pytest.raises(ModelBrokenError):
        msgspec.json.decode(b'{"id":1,"token":"a","logprob":null}', type=Probabilities).as_choice()
