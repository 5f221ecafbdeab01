"""The memory formula agrees with the KV caches that MLX really allocates, and errors spell its terms out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import mlx.core as mx
import mlx_lm.utils
import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mlx.nn.layers.base import Module
from mlx_lm.models import cache, deepseek_v3, gemma3_text
from mlx_lm.models.cache import QuantizedKVCache

from runtime.engine.mlx_cache import kv_quantization
from runtime.library.fit import (
    UNSTATED_CONTEXT_TOKENS,
    at_once,
    check_fits,
    choose_context,
    kv_cache_bytes,
    largest_context,
    memory_need,
)
from runtime.library.mlx_config import read_mlx_config
from runtime.library.mlx_kv import mlx_kv_layers
from runtime.library.overhead import PREFILL_CHUNK_TOKENS, USUAL_EVALUATION, Evaluation
from runtime.library.packed_weights import Weights
from runtime.library.reader import read_spec
from runtime.library.spec import KvLayers, ModelSpec
from runtime.values.errors import InvalidRequestError, MemoryShortError
from runtime.values.model import ModelFormat, Quantization
from tests.models.random_mlx import write_random_mlx

GB = 10**9
SPEC = ModelSpec(
    name="Made-up-1B",
    path=Path("made-up"),
    format=ModelFormat.MLX,
    architecture="test",
    parameters=GB,
    weights_bytes=GB // 2,
    quantization=Quantization("INT4", 4.0),
    context_tokens=32_768,
    layers=28,
    hidden_size=1024,
    attention_heads=16,
    kv_heads=8,
    head_dim=128,
    vocabulary_size=50_000,
    kv_layers=(KvLayers(layers=28, kv_heads=8, key_dim=128, value_dim=128),),
    kv_element_bytes=2,
    sliding_window_tokens=None,
    experts=None,
    license=None,
    chat_template=None,
    named_chat_templates=(),
    bos_token=None,
    eos_token=None,
    end_token_ids=(),
    add_bos=None,
    tensors=(),
    is_demo=False,
)
GGUF = msgspec.structs.replace(SPEC, format=ModelFormat.GGUF)


class LayerCache(Protocol):
    """The keys and values of one layer."""

    nbytes: int


# Assigned rather than called by name: these functions carry no types of their own.
make_cache: Callable[[Module], list[LayerCache]] = cache.make_prompt_cache
gemma_arguments: Callable[..., gemma3_text.ModelArgs] = gemma3_text.ModelArgs.from_dict
deepseek_arguments: Callable[..., deepseek_v3.ModelArgs] = deepseek_v3.ModelArgs.from_dict


def _allocated_bytes(model: Callable[..., mx.array], caches: list[LayerCache], tokens: int) -> int:
    """Return what the caches hold after `tokens` tokens went through the model."""
    mx.eval(model(mx.array([[1] * tokens]), cache=caches))
    return sum(one.nbytes for one in caches)


@pytest.mark.parametrize("dtype", [mx.float32, mx.float16])
@pytest.mark.parametrize("tokens", [1, 255, 256, 257, 700])
def test_agrees_with_the_cache_mlx_allocates(tmp_path: Path, dtype: mx.Dtype, tokens: int) -> None:
    write_random_mlx(tmp_path / "tiny", dtype=dtype)
    model, _ = mlx_lm.utils.load_model(tmp_path / "tiny")

    assert kv_cache_bytes(read_spec(tmp_path / "tiny"), tokens) == _allocated_bytes(model, make_cache(model), tokens)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("head_dim", [128, 96])
def test_agrees_with_the_quantized_cache_that_the_mlx_engine_makes(bits: int, head_dim: int) -> None:
    layers = (KvLayers(layers=1, kv_heads=8, key_dim=head_dim, value_dim=head_dim),)
    spec = msgspec.structs.replace(SPEC, kv_layers=layers)
    quantization = kv_quantization(spec, bits)
    assert quantization is not None
    one = QuantizedKVCache(quantization.group_size, quantization.bits)
    update: Callable[..., object] = one.update_and_fetch
    keys = mx.zeros((1, 8, 300, head_dim), mx.float16)
    update(keys, keys)

    assert kv_cache_bytes(spec, 300, bits) == one.nbytes


def test_keys_that_mlx_cannot_quantize_are_counted_whole() -> None:
    layers = (KvLayers(layers=1, kv_heads=8, key_dim=80, value_dim=80),)
    spec = msgspec.structs.replace(SPEC, kv_layers=layers)

    assert kv_cache_bytes(spec, 300, 4) == kv_cache_bytes(spec, 300)


def test_half_a_billion_parameters_in_llama_cpp() -> None:
    """115 KB a token were measured for Qwen3-0.6B; its blocks take 8.5 and 4.5 bits an element when quantized."""
    assert kv_cache_bytes(GGUF, 256) == 256 * 114_688
    assert kv_cache_bytes(GGUF, 256, 8) == 256 * 114_688 * 8.5 / 16
    assert kv_cache_bytes(GGUF, 256, 4) == 256 * 114_688 * 4.5 / 16


def test_windows_agree_with_mlxs_gemma3() -> None:
    shape = {
        "model_type": "gemma3_text",
        "hidden_size": 32,
        "num_hidden_layers": 7,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "head_dim": 16,
        "num_key_value_heads": 1,
        "vocab_size": 64,
        "sliding_window": 256,
        "sliding_window_pattern": 3,
    }
    model = gemma3_text.Model(gemma_arguments(shape))
    caches = make_cache(model)
    for _ in range(4):
        last = _allocated_bytes(model, caches, PREFILL_CHUNK_TOKENS // 2)
    layers = mlx_kv_layers(read_mlx_config(Path("config.json"), dict(shape)), _projections(7, 16))
    spec = msgspec.structs.replace(SPEC, kv_layers=layers, kv_element_bytes=4)
    tokens = 2 * PREFILL_CHUNK_TOKENS

    assert [(run.layers, run.window_tokens) for run in layers] == [(2, 256), (1, None), (2, 256), (1, None), (1, 256)]
    # Two layers hold everything, five hold the window and at most one chunk of the prompt.
    whole, window = (layer_bytes * 16 * 2 * 4 for layer_bytes in (tokens, 256 + PREFILL_CHUNK_TOKENS))
    assert kv_cache_bytes(spec, tokens) == 2 * whole + 5 * window
    assert 2 * whole <= last <= 2 * whole + 5 * window


def _projections(layers: int, rows: int) -> list[Weights]:
    names = [f"model.layers.{layer}.self_attn.{kind}_proj.weight" for layer in range(layers) for kind in "kv"]
    return [Weights(name, "F32", rows * 32, (rows, 32), packed=False) for name in names]


def test_latent_attention_agrees_with_mlxs_deepseek() -> None:
    shape = {
        "model_type": "deepseek_v3",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "intermediate_size": 64,
        "moe_intermediate_size": 32,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "kv_lora_rank": 32,
        "q_lora_rank": 32,
        "qk_rope_head_dim": 16,
        "qk_nope_head_dim": 32,
        "v_head_dim": 32,
        "vocab_size": 64,
        "first_k_dense_replace": 2,
        "n_routed_experts": 2,
        "num_experts_per_tok": 1,
        "n_group": 1,
        "topk_group": 1,
        "max_position_embeddings": 512,
    }
    model = deepseek_v3.Model(deepseek_arguments(shape))
    layers = mlx_kv_layers(read_mlx_config(Path("config.json"), dict(shape)), [])
    spec = msgspec.structs.replace(SPEC, kv_layers=layers, kv_element_bytes=4)

    assert layers == (KvLayers(layers=2, kv_heads=1, key_dim=32, value_dim=16),)
    assert kv_cache_bytes(spec, 40) == _allocated_bytes(model, make_cache(model), 40)


def test_hybrids_shared_layers_and_fused_projections() -> None:
    base: dict[str, object] = {
        "model_type": "test",
        "num_hidden_layers": 4,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }

    def runs(weights: list[Weights], **keys: object) -> list[tuple[int, int, int]]:
        layers = mlx_kv_layers(read_mlx_config(Path("config.json"), base | keys), weights)
        return [(run.layers, run.kv_heads, run.key_dim) for run in layers]

    attention = _projections(4, 32)
    assert runs(attention) == [(4, 2, 16)]
    assert runs([]) == [(4, 2, 16)], "fused projections: the configuration tells"
    assert runs(attention[4:6]) == [(1, 2, 16)], "only layer 2 has attention"
    assert runs(attention, num_kv_shared_layers=3) == [(1, 2, 16)]
    assert runs(_projections(4, 64)) == [(4, 2, 32)], "wider than the configuration says"
    assert runs([], num_attention_heads=0) == [], "no attention at all"


def test_need_is_the_sum_of_its_terms() -> None:
    need = memory_need(SPEC, 4096)

    assert need.weights_bytes == SPEC.weights_bytes
    assert need.kv_cache_bytes == kv_cache_bytes(SPEC, 4096)
    assert need.total_bytes == need.weights_bytes + need.kv_cache_bytes + need.overhead_bytes
    assert need.overhead_bytes > 0


def test_sequences_at_the_same_time_share_weights_and_nothing_else() -> None:
    spec = msgspec.structs.replace(SPEC, recurrent_state_bytes=1_000_000)
    one, three = memory_need(spec, 4096), memory_need(at_once(spec, 3), 4096)

    assert three.weights_bytes == one.weights_bytes
    assert three.kv_cache_bytes == 3 * one.kv_cache_bytes
    assert three.recurrent_state_bytes == 3 * one.recurrent_state_bytes == 3_000_000


def test_llama_cpp_keeps_states_and_windows_a_second_time() -> None:
    window = (KvLayers(layers=4, kv_heads=8, key_dim=128, value_dim=128, window_tokens=1024),)
    spec = msgspec.structs.replace(GGUF, kv_layers=window, recurrent_state_bytes=1000)
    need = memory_need(spec, 8192, evaluation=Evaluation(chunk_tokens=256))

    assert need.recurrent_state_bytes == 2000
    assert need.kv_cache_bytes == 2 * (1024 + 256) * 4 * 8 * 256 * 2


@pytest.mark.parametrize(
    ("changes", "bits", "evaluation"),
    [
        ({"kv_layers": (KvLayers(layers=28, kv_heads=8, key_dim=96, value_dim=96),)}, None, USUAL_EVALUATION),
        ({}, 8, USUAL_EVALUATION),
        ({}, None, Evaluation(fuses_attention=False)),
    ],
)
def test_attention_that_is_not_fused_has_all_its_scores_at_once(
    changes: dict[str, object], bits: int | None, evaluation: Evaluation
) -> None:
    near, far = (
        memory_need(msgspec.structs.replace(SPEC, **changes), tokens, bits, evaluation).overhead_bytes
        for tokens in (1024, 2048)
    )

    assert far - near == pytest.approx(1.7 * PREFILL_CHUNK_TOKENS * 1024 * 16 * 2, abs=2)
    assert memory_need(SPEC, 1024).overhead_bytes == memory_need(SPEC, 2048).overhead_bytes


@pytest.mark.parametrize("spec", [SPEC, GGUF])
@pytest.mark.parametrize("fuses_attention", [True, False])
@given(tokens=st.integers(1, 2048))
def test_no_chunk_is_longer_than_the_context(spec: ModelSpec, fuses_attention: bool, tokens: int) -> None:
    as_wide, wider = (
        memory_need(spec, tokens, evaluation=Evaluation(chunk, fuses_attention)) for chunk in (tokens, tokens + 512)
    )

    assert wider == as_wide


def test_mlx_copies_the_keys_and_values_of_a_chunk() -> None:
    def overhead(spec: ModelSpec, kv_heads: int) -> int:
        layers = (KvLayers(layers=28, kv_heads=kv_heads, key_dim=128, value_dim=128),)
        return memory_need(msgspec.structs.replace(spec, kv_layers=layers), 4096).overhead_bytes

    assert overhead(SPEC, 16) - overhead(SPEC, 8) == 8 * 8 * 128 * PREFILL_CHUNK_TOKENS * 2
    assert overhead(GGUF, 16) == overhead(GGUF, 8)


def test_wider_chunks_and_larger_vocabularies_take_more() -> None:
    usual = memory_need(SPEC, 4096).overhead_bytes

    assert memory_need(SPEC, 4096, evaluation=Evaluation(chunk_tokens=1024)).overhead_bytes > usual
    assert memory_need(msgspec.structs.replace(SPEC, vocabulary_size=200_000), 4096).overhead_bytes > usual


@given(
    available=st.integers(0, 8 * GB),
    bits=st.sampled_from([None, 4, 8]),
    spec=st.sampled_from([SPEC, GGUF]),
    limit=st.integers(1, 100_000),
)
def test_the_largest_context_fits_and_the_next_does_not(
    available: int, bits: int | None, spec: ModelSpec, limit: int
) -> None:
    spec = msgspec.structs.replace(spec, context_tokens=limit)
    longest = largest_context(spec, available, bits)

    assert 0 <= longest <= limit
    if longest:
        assert memory_need(spec, longest, bits).total_bytes <= available
        assert choose_context(spec, None, available, bits) == longest
    if longest < limit:
        assert memory_need(spec, min(limit, longest + 256), bits).total_bytes > available


@given(tokens=st.integers(1, 1_000_000), more=st.integers(0, 10_000), window=st.none() | st.integers(1, 5000))
def test_more_tokens_never_take_less(tokens: int, more: int, window: int | None) -> None:
    layers = (KvLayers(layers=2, kv_heads=2, key_dim=64, value_dim=64, window_tokens=window),)
    spec = msgspec.structs.replace(SPEC, kv_layers=layers)

    assert kv_cache_bytes(spec, tokens) <= kv_cache_bytes(spec, tokens + more)


def test_a_request_that_does_not_fit_spells_the_terms_out() -> None:
    with pytest.raises(MemoryShortError) as raised:
        check_fits(SPEC, 32_768, 2 * GB)

    text = raised.value.what
    for term in ("32,768 tokens", "weights 0.50 GB", "KV cache 3.76 GB", "2.00 GB are free"):
        assert term in text
    longest = largest_context(SPEC, 2 * GB)
    assert f"{longest:,} tokens" in raised.value.next_step
    assert check_fits(SPEC, longest, 2 * GB).context_tokens == longest


def test_weights_that_do_not_fit_at_all() -> None:
    assert largest_context(SPEC, GB // 4) == 0
    with pytest.raises(MemoryShortError, match="smaller model"):
        choose_context(SPEC, None, GB // 4)


@pytest.mark.parametrize("tokens", [0, -1, 32_769])
def test_a_context_outside_the_models_limits_is_refused(tokens: int) -> None:
    with pytest.raises(InvalidRequestError):
        choose_context(SPEC, tokens, 100 * GB)


def test_a_requested_context_is_taken_as_it_is() -> None:
    assert choose_context(SPEC, 1000, 100 * GB) == 1000
    with pytest.raises(MemoryShortError):
        choose_context(SPEC, 32_768, 2 * GB)


def test_an_unstated_limit_gets_a_modest_context_but_no_upper_bound() -> None:
    spec = msgspec.structs.replace(SPEC, context_tokens=None)

    assert choose_context(spec, None, 100 * GB) == UNSTATED_CONTEXT_TOKENS
    assert choose_context(spec, 20_000, 100 * GB) == 20_000


@given(context=st.integers(1, 10_000))
def test_a_model_without_attention_needs_no_cache(context: int) -> None:
    assume(context > 0)
    assert kv_cache_bytes(msgspec.structs.replace(SPEC, kv_layers=()), context) == 0
