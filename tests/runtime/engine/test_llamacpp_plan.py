"""How a server is to run: context, memory, batch."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from runtime.engine.llamacpp_loading import read_gguf
from runtime.engine.llamacpp_plan import plan_server
from runtime.engine.llamacpp_server import ServerPlan
from runtime.library.fit import memory_need
from runtime.library.overhead import Evaluation
from runtime.library.spec import ModelSpec
from runtime.metrics.device import read_device
from runtime.values.errors import MemoryShortError, UserFacingError
from runtime.values.model import LoadOptions
from tests.models.random_gguf import GgufRecipe, write_random_gguf

TOKEN_BYTES = 512
ON_CPU = Evaluation(chunk_tokens=128)
PLENTY_BYTES = 64_000_000_000


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    """Return a model whose KV cache takes 512 bytes a token, for ten million tokens."""
    path = tmp_path_factory.mktemp("models") / "model.gguf"
    write_random_gguf(path, GgufRecipe(context_tokens=10_000_000))
    return read_gguf(path)


def planned(spec: ModelSpec, memory_bytes: int = PLENTY_BYTES, *, gpu: bool = False, **options: int) -> ServerPlan:
    device = msgspec.structs.replace(read_device(), available_memory_bytes=memory_bytes)
    return plan_server(spec, msgspec.convert(options, LoadOptions), device, lambda: 0.0, may_have_gpu=gpu)


def widened(spec: ModelSpec, factor: int) -> ModelSpec:
    """Return the model with `factor` times as many layers to keep keys and values of."""
    return msgspec.structs.replace(spec, kv_layers=spec.kv_layers * factor)


def test_default_context_costs_a_gigabyte_at_most(spec: ModelSpec) -> None:
    assert planned(spec).context_tokens == (1 << 30) // TOKEN_BYTES
    assert planned(msgspec.structs.replace(spec, context_tokens=4096)).context_tokens == 4096


def test_default_context_is_not_tiny_for_models_with_a_large_cache(spec: ModelSpec) -> None:
    assert planned(widened(spec, 1000)).context_tokens == 8192


def test_default_context_is_cut_to_the_memory(spec: ModelSpec) -> None:
    large = widened(spec, 1000)
    short_bytes = memory_need(large, 2048, evaluation=ON_CPU).total_bytes
    assert planned(large, short_bytes).context_tokens == 2048
    with pytest.raises(MemoryShortError):
        planned(large, short_bytes, context_tokens=4096)


def test_every_request_has_a_context_of_its_own(spec: ModelSpec) -> None:
    alone, together = planned(spec), planned(spec, parallel_requests=4)
    assert together.context_tokens == alone.context_tokens // 4
    memory_bytes = memory_need(spec, 100_000, evaluation=ON_CPU).total_bytes
    assert planned(spec, memory_bytes, context_tokens=100_000).context_tokens == 100_000
    with pytest.raises(MemoryShortError):
        planned(spec, memory_bytes, context_tokens=100_000, parallel_requests=2)


def test_a_request_above_the_default_is_granted(spec: ModelSpec) -> None:
    assert planned(spec, context_tokens=9_000_000).context_tokens == 9_000_000


def test_batches_are_small_enough_to_cancel_and_large_enough_to_run(spec: ModelSpec) -> None:
    assert planned(spec).batch_tokens == 128
    assert planned(spec, gpu=True).batch_tokens == 512
    assert planned(spec, gpu=True, gpu_layers=0).batch_tokens == 128
    assert planned(spec, prefill_chunk_tokens=64).batch_tokens == 64
    assert planned(spec, prefill_chunk_tokens=1).batch_tokens == 32


def test_displaced_conversations_get_a_share_of_what_is_left(spec: ModelSpec) -> None:
    assert planned(spec).prompt_cache_mib == 8 << 10
    left_bytes = 400 << 20
    tight = planned(spec, memory_need(spec, 4096, evaluation=ON_CPU).total_bytes + left_bytes, context_tokens=4096)
    assert tight.prompt_cache_mib == 100


def test_the_budget_for_kept_conversations_is_for_those_in_their_slots_as_well(spec: ModelSpec) -> None:
    slot_bytes = 4096 * TOKEN_BYTES
    budget_bytes = 2 * slot_bytes + (30 << 20)
    chosen = planned(spec, context_tokens=4096, parallel_requests=2, kv_budget_bytes=budget_bytes)
    assert chosen.prompt_cache_mib == 30
    assert planned(spec, context_tokens=4096, kv_budget_bytes=slot_bytes // 2).prompt_cache_mib == 0


def test_weights_that_a_cpu_wants_in_another_order_are_not_mapped_as_well(tmp_path: Path) -> None:
    write_random_gguf(tmp_path / "q4.gguf", GgufRecipe(weights="Q4_0", layers=4))
    write_random_gguf(tmp_path / "f16.gguf", GgufRecipe(weights="F16"))
    rearranged, plain = read_gguf(tmp_path / "q4.gguf"), read_gguf(tmp_path / "f16.gguf")

    assert not planned(rearranged).maps_weights
    assert planned(rearranged, gpu=True).maps_weights
    assert planned(plain).maps_weights


def test_states_to_go_back_to_get_a_share_of_what_is_left(spec: ModelSpec) -> None:
    recurrent = msgspec.structs.replace(spec, recurrent_state_bytes=50 << 20)
    need = memory_need(recurrent, 4096, evaluation=ON_CPU).total_bytes

    assert planned(spec).context_checkpoints == 1
    assert planned(recurrent).context_checkpoints == (1 << 30) // (50 << 20)
    assert planned(recurrent, need + (800 << 20), context_tokens=4096).context_checkpoints == 2
    assert planned(recurrent, need, context_tokens=4096).context_checkpoints == 1


def test_an_mlx_directory_is_sent_to_the_other_engine(tmp_path: Path) -> None:
    with pytest.raises(UserFacingError):
        read_gguf(tmp_path)
