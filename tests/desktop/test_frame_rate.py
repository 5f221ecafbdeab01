"""How often new text is shown."""

from __future__ import annotations

import pytest

from desktop.frame_rate import FRAME_S, SHARED_CORE_S, text_interval_s
from runtime.values.model import Capabilities, EngineName, LoadedModel, Quantization


def model(decode_threads: int | None) -> LoadedModel:
    return LoadedModel(
        name="model",
        engine=EngineName.LLAMACPP,
        engine_version="1",
        device="device",
        quantization=Quantization("Q8_0", 8.5),
        weights_bytes=1,
        context_limit_tokens=1,
        vocabulary_size=1,
        load_started_ns=0,
        load_ended_ns=1,
        capabilities=Capabilities(
            parallel_requests=1, prompt_progress=True, kv_cache_quantization=(), max_top_logprobs=0
        ),
        decode_threads=decode_threads,
    )


@pytest.mark.parametrize(
    ("threads", "cores", "interval_s"),
    [
        pytest.param(2, 2, SHARED_CORE_S, id="every core is the model's"),
        pytest.param(4, 2, SHARED_CORE_S, id="more threads than cores"),
        pytest.param(1, 2, FRAME_S, id="a core is left"),
        pytest.param(7, 8, FRAME_S, id="a core is left of many"),
        pytest.param(None, 2, FRAME_S, id="an accelerator writes"),
    ],
)
def test_text_comes_with_every_frame_unless_that_slows_the_model(
    threads: int | None, cores: int, interval_s: float
) -> None:
    assert text_interval_s(model(threads), cores) == interval_s
