"""Bytes read for a token: of real files of both formats, of mlx-lm's own architectures, and of tables made by hand."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config.paths import assets_folder
from runtime.library.decode_reads import active_weights_bytes, decode_reads, prompt_weights_bytes
from runtime.library.reader import read_spec
from runtime.library.spec import Experts, ModelSpec
from runtime.library.tensors import TensorInfo
from runtime.values.model import ModelFormat
from tests.models.random_architectures import (
    LATENT_ATTENTION,
    MIXTURE_OF_EXPERTS,
    SLIDING_WINDOW,
    Config,
    write_random_architecture,
)
from tests.models.random_gguf import TINY, write_random_gguf
from tests.models.random_mlx import write_random_mlx
from tests.runtime.library.test_fit import SPEC

VOCABULARY, HIDDEN, LAYERS = 1000, 64, 2


def size_of(spec: ModelSpec, *names: str) -> int:
    """Return the bytes of all tensors with one of `names` in theirs."""
    found = [tensor for tensor in spec.tensors if any(name in tensor.name for name in names)]
    assert found
    return sum(tensor.size_bytes for tensor in found)


def made_up(*tensors: tuple[str, tuple[int, ...], int], experts: Experts | None = None) -> ModelSpec:
    """Return a model with `tensors`: name, shape and bytes of each."""
    table = tuple(TensorInfo(name, "F16", shape, size, 0) for name, shape, size in tensors)
    return msgspec.structs.replace(SPEC, layers=LAYERS, vocabulary_size=VOCABULARY, experts=experts, tensors=table)


EMBEDDING = ("model.embed_tokens.weight", (VOCABULARY, HIDDEN), 100_000)
NORM = ("model.norm.weight", (HIDDEN,), 10)
MATRIX = ("model.layers.0.mlp.up_proj.weight", (128, HIDDEN), 1_000)


@pytest.mark.parametrize("weights", ["F32", "Q8_0"])
def test_of_a_gguf_file_all_but_the_embedding_is_read(tmp_path: Path, weights: str) -> None:
    write_random_gguf(tmp_path / "model.gguf", msgspec.structs.replace(TINY, weights=weights))
    spec = read_spec(tmp_path / "model.gguf")

    assert active_weights_bytes(spec) == spec.weights_bytes - size_of(spec, "token_embd")


@pytest.mark.parametrize("bits", [None, 4])
def test_of_an_mlx_directory_all_but_the_embedding_is_read(tmp_path: Path, bits: int | None) -> None:
    write_random_mlx(tmp_path / "model", quantized_bits=bits)
    spec = read_spec(tmp_path / "model")

    assert active_weights_bytes(spec) == spec.weights_bytes - size_of(spec, "embed_tokens")


@pytest.mark.parametrize("name", ["mlx-int4", "demo-q8_0.gguf"])
def test_a_tied_embedding_is_read_whole(name: str) -> None:
    spec = read_spec(assets_folder() / "demo-model" / name)

    assert not [tensor for tensor in spec.tensors if "lm_head" in tensor.name or tensor.name == "output.weight"]
    assert active_weights_bytes(spec) == spec.weights_bytes


@pytest.mark.parametrize("weights", ["F32", "Q8_0"])
def test_a_prompts_tokens_meet_neither_head_nor_last_mlp_in_a_gguf_file(tmp_path: Path, weights: str) -> None:
    write_random_gguf(tmp_path / "model.gguf", msgspec.structs.replace(TINY, weights=weights))
    spec = read_spec(tmp_path / "model.gguf")

    last_mlp = size_of(spec, "blk.1.ffn_gate", "blk.1.ffn_up", "blk.1.ffn_down")
    left_out = 2 * size_of(spec, "token_embd") + last_mlp  # The head is as large as the embedding.
    assert prompt_weights_bytes(spec) == spec.weights_bytes - left_out


@pytest.mark.parametrize("bits", [None, 4])
def test_a_prompts_tokens_meet_neither_head_nor_last_mlp_in_an_mlx_directory(tmp_path: Path, bits: int | None) -> None:
    write_random_mlx(tmp_path / "model", quantized_bits=bits)
    spec = read_spec(tmp_path / "model")

    left_out = size_of(spec, "embed_tokens") + size_of(spec, "layers.1.mlp.") + size_of(spec, "lm_head")
    assert prompt_weights_bytes(spec) == spec.weights_bytes - left_out


@pytest.mark.parametrize("name", ["mlx-int4", "demo-q8_0.gguf"])
def test_a_prompts_tokens_do_not_meet_a_tied_embedding(name: str) -> None:
    spec = read_spec(assets_folder() / "demo-model" / name)
    met, active = prompt_weights_bytes(spec), active_weights_bytes(spec)

    assert met is not None
    assert active is not None
    assert met < active - size_of(spec, "embed_tokens", "token_embd")


def test_of_experts_in_the_last_layer_alone_no_prompt_token_meets_any() -> None:
    experts = ("model.layers.1.mlp.experts.up_proj.weight", (4, 128, HIDDEN), 8_000)
    spec = made_up(EMBEDDING, NORM, MATRIX, experts, experts=Experts(active=2, total=4))

    assert active_weights_bytes(spec) == 100_000 + 10 + 1_000 + 4_000
    assert prompt_weights_bytes(spec) == 10 + 1_000


@pytest.mark.parametrize("config", [MIXTURE_OF_EXPERTS, LATENT_ATTENTION], ids=["all layers", "some layers"])
def test_of_experts_as_many_are_read_as_a_token_uses(tmp_path: Path, config: Config) -> None:
    write_random_architecture(tmp_path / "model", config)
    spec = read_spec(tmp_path / "model")

    assert spec.experts == Experts(active=2, total=4)
    looked_up, unused = size_of(spec, "embed_tokens"), size_of(spec, "switch_mlp") // 2
    assert active_weights_bytes(spec) == spec.weights_bytes - looked_up - unused


def test_of_the_experts_in_a_gguf_file_as_many_are_read_as_a_token_uses(tmp_path: Path) -> None:
    recipe = msgspec.structs.replace(TINY, architecture="qwen3moe", experts=8, active_experts=2)
    write_random_gguf(tmp_path / "model.gguf", recipe)
    spec = read_spec(tmp_path / "model.gguf")

    looked_up, unused = size_of(spec, "token_embd"), size_of(spec, "_exps") * 6 // 8
    assert active_weights_bytes(spec) == spec.weights_bytes - looked_up - unused


def test_windows_are_told_from_the_whole_context(tmp_path: Path) -> None:
    write_random_architecture(tmp_path / "model", SLIDING_WINDOW)
    reads = decode_reads(read_spec(tmp_path / "model"))

    assert reads is not None
    a_layer = 2 * (32 + 32) * 4
    assert {kv.window_tokens: kv.token_bytes for kv in reads.kv} == {32: a_layer, None: a_layer}


def test_a_quantized_cache_is_read_in_fewer_bytes() -> None:
    spec = msgspec.structs.replace(made_up(EMBEDDING, MATRIX), format=ModelFormat.GGUF)
    whole, quantized = decode_reads(spec), decode_reads(spec, 8)

    assert whole is not None
    assert quantized is not None
    assert quantized.kv[0].token_bytes == whole.kv[0].token_bytes * 34 / 64


@pytest.mark.parametrize(
    "unread",
    [
        ("vision_tower.layers.0.mlp.fc1.weight", (64, 64), 5_000),
        ("language_model.mtp.layers.0.mlp.up_proj.weight", (64, 64), 5_000),
        ("model.layers.2.mlp.up_proj.weight", (64, 64), 5_000),
        ("model.embed_tokens_per_layer.weight", (VOCABULARY, 8), 5_000),
        ("model.embed_tokens_per_layer.scales", (VOCABULARY, 1), 5_000),
        ("transformer.wpe.weight", (512, HIDDEN), 5_000),
    ],
    ids=lambda tensor: str(tensor[0]),
)
def test_what_text_does_not_pass_through_is_not_read(unread: tuple[str, tuple[int, ...], int]) -> None:
    assert active_weights_bytes(made_up(EMBEDDING, NORM, MATRIX, unread)) == 101_010


def test_a_layer_that_predicts_further_tokens_is_not_read() -> None:
    spec = made_up(
        ("token_embd.weight", (VOCABULARY, HIDDEN), 100_000),
        ("output.weight", (VOCABULARY, HIDDEN), 60_000),
        ("blk.0.ffn_up.weight", (128, HIDDEN), 1_000),
        ("blk.1.nextn.eh_proj.weight", (HIDDEN, 128), 500),
        ("blk.1.ffn_up.weight", (128, HIDDEN), 1_000),
    )

    assert active_weights_bytes(spec) == 61_000


@pytest.mark.parametrize("name", ["lm_head.weight", "embed_out.weight", "model.ff_out.weight", "output.weight"])
def test_whatever_computes_the_logits_frees_the_embedding(name: str) -> None:
    head = (name, (VOCABULARY, HIDDEN), 60_000)

    assert active_weights_bytes(made_up(EMBEDDING, head, MATRIX)) == 61_000


@pytest.mark.parametrize(
    "name",
    [
        "blk.0.ffn_gate_exps.weight",
        "blk.0.ffn_up_exps.weight",
        "blk.0.ffn_gate_up_exps.weight",
        "blk.0.ffn_down.3.weight",
        "model.layers.0.mlp.experts.3.down_proj.weight",
        "model.layers.0.block_sparse_moe.input_linear.weight",
    ],
)
def test_experts_are_known_by_name_or_by_being_a_stack_of_as_many(name: str) -> None:
    stack = (name, (8, 128, HIDDEN), 8_000)

    assert active_weights_bytes(made_up(EMBEDDING, MATRIX, stack, experts=Experts(2, 8))) == 101_000 + 2_000


NAMES = (
    "model.embed_tokens.weight",
    "model.embed_tokens.scales",
    "token_embd.weight",
    "lm_head.weight",
    "output.weight",
    "model.layers.0.mlp.up_proj.weight",
    "model.layers.99999.mlp.up_proj.weight",
    "model.layers.1.mlp.switch_mlp.up_proj.weight",
    "blk.1.ffn_up_exps.weight",
    "blk.1.nextn.enorm.weight",
    "",
    ".",
)
tensors = st.builds(
    TensorInfo,
    name=st.sampled_from(NAMES),
    dtype=st.just("F16"),
    shape=st.lists(st.sampled_from([1, 8, VOCABULARY]), max_size=3).map(tuple),
    size_bytes=st.integers(0, 10**6),
    offset=st.just(0),
)


@given(
    st.lists(tensors, max_size=8, unique_by=lambda tensor: tensor.name),
    st.one_of(st.none(), st.builds(Experts, active=st.integers(1, 8), total=st.just(8))),
)
def test_whatever_the_table_holds_no_more_is_read_than_there_is(
    table: list[TensorInfo], experts: Experts | None
) -> None:
    active = active_weights_bytes(msgspec.structs.replace(SPEC, tensors=tuple(table), experts=experts))

    assert active is None or 0 <= active <= sum(tensor.size_bytes for tensor in table)


@pytest.mark.parametrize(
    "spec",
    [
        made_up(NORM, MATRIX),
        made_up(EMBEDDING, ("model.wte.weight", (VOCABULARY, HIDDEN), 100_000), MATRIX),
        made_up(EMBEDDING, MATRIX, experts=Experts(2, 8)),
        made_up(EMBEDDING, MATRIX, ("model.layers.0.mlp.experts.0.up_proj.weight", (8, 8), 100)),
    ],
    ids=["no embedding", "two embeddings", "experts that are not there", "experts of unknown number"],
)
def test_what_the_tensors_do_not_tell_is_not_known(spec: ModelSpec) -> None:
    assert active_weights_bytes(spec) is None
    assert decode_reads(spec) is None
