"""Names, bits per weight and parameter counts agree with MLX itself, in every mode it has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import mlx_lm.utils
import pytest
from mlx.nn.layers.base import Module
from mlx.nn.layers.containers import Sequential
from mlx.nn.layers.embedding import Embedding
from mlx.nn.layers.linear import Linear
from mlx.nn.layers.normalization import RMSNorm
from mlx.nn.layers.quantized import quantize
from mlx.utils import tree_flatten

from runtime.library.keys import Keys
from runtime.library.packed_weights import Weights, read_packing, unpack
from runtime.library.quantization import gguf_quantization, mlx_quantization
from runtime.library.safetensors_header import read_safetensors_header
from runtime.library.tensors import TensorInfo
from runtime.values.errors import ModelBrokenError
from runtime.values.model import Quantization

HERE = Path("model")

# Assigned rather than imported by name: these functions carry no types of their own.
mlx_bits_per_weight: Callable[[Module], float] = mlx_lm.utils.compute_bits_per_weight
mlx_parameters: Callable[[Module], int] = mlx_lm.utils.get_total_parameters
sequential: Callable[..., Module] = Sequential
parameters_of: Callable[[Module], object] = Module.parameters

EMBEDDING, MATRIX = "layers.0", "layers.1"


def _two_layers() -> Module:
    """Return an embedding, a matrix and a norm: what a language model consists of."""
    return sequential(Embedding(128, 256), Linear(256, 512), RMSNorm(256))


def _read(folder: Path, model: Module, config: dict[str, object]) -> tuple[Quantization, int]:
    """Save `model`, read it back from its header; return its quantization and parameters."""
    file = folder / "model.safetensors"
    mx.save_safetensors(str(file), dict(tree_flatten(parameters_of(model))))
    tensors = read_safetensors_header(file)
    weights = unpack(file, tensors, read_packing(file, Keys(file, config)))
    size = sum(tensor.size_bytes for tensor in tensors)
    return mlx_quantization(weights, size), sum(one.parameters for one in weights)


MODES = [("affine", bits, group, f"INT{bits}") for bits in (2, 3, 4, 5, 6, 8) for group in (32, 64, 128)]
MODES += [("mxfp4", 4, 32, "MXFP4"), ("mxfp8", 8, 32, "MXFP8"), ("nvfp4", 4, 16, "NVFP4")]


@pytest.mark.parametrize(("mode", "bits", "group_size", "name"), MODES)
def test_every_mode_of_mlx(tmp_path: Path, mode: str, bits: int, group_size: int, name: str) -> None:
    model = _two_layers()
    quantize(model, group_size=group_size, bits=bits, mode=mode)

    quantization, parameters = _read(
        tmp_path, model, {"quantization": {"group_size": group_size, "bits": bits, "mode": mode}}
    )

    assert quantization.name == name
    assert quantization.bits_per_weight == pytest.approx(mlx_bits_per_weight(model))
    assert parameters == mlx_parameters(model) == 128 * 256 + 512 * 256 + 512 + 256


@pytest.mark.parametrize(
    ("dtype", "name", "bits"), [(mx.float32, "FP32", 32), (mx.float16, "FP16", 16), (mx.bfloat16, "BF16", 16)]
)
def test_unquantized_models_are_named_by_their_type(tmp_path: Path, dtype: mx.Dtype, name: str, bits: int) -> None:
    model = _two_layers()
    model.set_dtype(dtype)

    quantization, parameters = _read(tmp_path, model, {})

    assert quantization == Quantization(name, bits)
    assert parameters == mlx_parameters(model)


def test_two_widths_are_mixed_and_named_after_the_one_with_more_weights(tmp_path: Path) -> None:
    model = _two_layers()
    widths = {MATRIX: {"group_size": 64, "bits": 4}, EMBEDDING: {"group_size": 32, "bits": 8}}
    quantize(model, class_predicate=lambda path, _: widths.get(path, False))

    quantization, parameters = _read(
        tmp_path, model, {"quantization": {"group_size": 64, "bits": 4, EMBEDDING: widths[EMBEDDING]}}
    )

    assert quantization.name == "INT4 mixed"
    assert quantization.bits_per_weight == pytest.approx(mlx_bits_per_weight(model))
    assert parameters == mlx_parameters(model)


def test_unquantized_parts_do_not_rename_a_quantized_model(tmp_path: Path) -> None:
    model = _two_layers()
    quantize(model, group_size=64, bits=4, class_predicate=lambda path, _: path == MATRIX)

    quantization, _ = _read(tmp_path, model, {"quantization": {"group_size": 64, "bits": 4}})

    assert quantization.name == "INT4"
    assert quantization.bits_per_weight == pytest.approx(mlx_bits_per_weight(model))


def _table(**tensors: tuple[str, tuple[int, ...]]) -> list[TensorInfo]:
    return [TensorInfo(name.replace("__", "."), dtype, shape, 1, 0) for name, (dtype, shape) in tensors.items()]


FOREIGN = {
    "AWQ INT4": (
        {"quant_method": "awq", "bits": 4, "group_size": 128},
        _table(m__qweight=("I32", (256, 64)), m__qzeros=("I32", (2, 64)), m__scales=("F16", (2, 512))),
    ),
    "GPTQ INT8": (
        {"quant_method": "gptq", "bits": 8, "group_size": -1},
        _table(m__qweight=("I32", (64, 512)), m__scales=("F16", (1, 512)), m__g_idx=("I32", (256,))),
    ),
    "FP8": (
        {"quant_method": "fp8", "weight_block_size": [128, 128]},
        _table(m__weight=("F8_E4M3", (256, 512)), m__weight_scale_inv=("F32", (2, 4))),
    ),
    "INT4": (
        {"quant_method": "compressed-tensors", "format": "pack-quantized", "bits": 4},
        _table(m__weight_packed=("I32", (256, 64)), m__weight_scale=("BF16", (256, 4)), m__weight_shape=("I64", (2,))),
    ),
    "NVFP4": (
        {"quant_method": "modelopt", "quant_algo": "NVFP4"},
        _table(m__weight=("U8", (256, 256)), m__weight_scale=("F8_E4M3", (256, 32)), m__weight_scale_2=("F32", ())),
    ),
    "MXFP4": (
        {"quant_method": "mxfp4"},
        _table(m_blocks=("U8", (256, 16, 16)), m_scales=("U8", (256, 16))),
    ),
    "TERNARY": ({"quant_method": "bitnet"}, _table(m__weight=("U8", (64, 512)), m__weight_scale=("BF16", (1,)))),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_weights_packed_by_other_tools_are_counted_and_named(name: str) -> None:
    config, tensors = FOREIGN[name]

    weights = unpack(HERE, tensors, read_packing(HERE, Keys(HERE, {"quantization_config": config})))

    assert sum(one.parameters for one in weights) == 256 * 512
    assert mlx_quantization(weights, 1).name == name


BAD_SCALES = {
    "other rows": (("U32", (4, 8)), ("F16", (5, 1))),
    "no groups": (("U32", (4, 8)), ("F16", (4, 0))),
    "not a divisor": (("U32", (4, 8)), ("F16", (4, 3))),
    "no such width": (("U32", (4, 8)), ("F16", (4, 4))),
    "no such float mode": (("U32", (4, 8)), ("U8", (4, 8))),
    "scalars": (("U32", ()), ("F16", ())),
}


@pytest.mark.parametrize("case", BAD_SCALES)
def test_scales_that_do_not_fit_are_damage(case: str) -> None:
    weight, scales = BAD_SCALES[case]
    packing = read_packing(HERE, Keys(HERE, {"quantization": {"group_size": 64, "bits": 4}}))

    with pytest.raises(ModelBrokenError, match="scales of m do not fit"):
        unpack(HERE, _table(m__weight=weight, m__scales=scales), packing)


@pytest.mark.parametrize("bits", [0, -4, 33, "4", 4.5, True, [4]])
def test_a_width_that_makes_no_sense_is_damage(bits: object) -> None:
    config = json.loads(json.dumps({"quantization": {"bits": bits}}))

    with pytest.raises(ModelBrokenError, match="bits is"):
        read_packing(HERE, Keys(HERE, config))


def test_nothing_but_scales_named_things_are_weights() -> None:
    tensors = _table(layer__scales=("F32", (4,)), layer__weight=("F32", (4, 4)))

    assert [one.parameters for one in unpack(HERE, tensors, read_packing(HERE, Keys(HERE, {})))] == [4, 16]


def _blocks(*kinds: tuple[str, int]) -> list[TensorInfo]:
    blocks = [TensorInfo(f"blk.{index}.w", kind, (count, 1), count, 0) for index, (kind, count) in enumerate(kinds)]
    return [*blocks, TensorInfo("token_embd.weight", "Q6_K", (10_000, 1), 10_000, 0)]


GGUF_NAMES = [
    (15, [("Q4_K", 80), ("Q6_K", 20)], "Q4_K_M"),
    (14, [("Q4_K", 95), ("Q5_K", 5)], "Q4_K_S"),
    (7, [("Q8_0", 100)], "Q8_0"),
    (1, [("F16", 100)], "FP16"),
    (32, [("BF16", 100)], "BF16"),
    (0, [("F32", 100)], "FP32"),
    (38, [("MXFP4", 90), ("Q8_0", 10)], "MXFP4"),
    (15, [("Q8_0", 100)], "Q8_0"),
    (15, [("Q4_0", 60), ("Q4_K", 40)], "Q4_0"),
    (None, [("F16", 100)], "FP16"),
    (None, [("Q5_K", 100)], "Q5_K"),
    (999, [("IQ4_XS", 100)], "IQ4_XS"),
    (1024, [("Q3_K", 100)], "Q3_K"),
]


@pytest.mark.parametrize(("file_type", "kinds", "name"), GGUF_NAMES)
def test_a_gguf_label_counts_if_the_blocks_agree(
    file_type: int | None, kinds: list[tuple[str, int]], name: str
) -> None:
    assert gguf_quantization(_blocks(*kinds), file_type).name == name


def test_a_gguf_without_blocks_is_named_after_what_it_has() -> None:
    assert gguf_quantization([TensorInfo("x", "Q8_0", (32,), 34, 0)], None) == Quantization("Q8_0", 8.5)


def test_no_weights_have_no_bits() -> None:
    assert mlx_quantization([], 0) == Quantization("unknown", 0.0)
    assert gguf_quantization([], None) == Quantization("unknown", 0.0)


def test_integers_without_scales_are_not_unpacked() -> None:
    weights = unpack(HERE, _table(ids=("U32", (7,))), read_packing(HERE, Keys(HERE, {"quantization": {"bits": 4}})))

    assert weights == (Weights("ids", "U32", 7, (7,), packed=False),)
