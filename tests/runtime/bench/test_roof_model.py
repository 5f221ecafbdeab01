"""The model that only multiplies: a GGUF file as others write it, in the type of the model it is made from."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from runtime.bench.roof_model import LEAST_LAYERS, LEAST_WEIGHTS_BYTES, main_dtype, write_roof_model
from runtime.library.reader import read_spec
from runtime.library.tensors import TensorInfo
from runtime.values.errors import ModelMissingError
from tests.models.random_gguf import GgufRecipe, Weights, write_random_gguf

TYPES: tuple[Weights, ...] = ("F32", "F16", "Q8_0", "Q4_0")


def tensor(name: str, dtype: str, *shape: int) -> TensorInfo:
    return TensorInfo(name, dtype, shape, 0, 0)


@pytest.mark.parametrize("dtype", TYPES)
def test_has_the_types_and_the_bytes_of_its_original(tmp_path: Path, dtype: Weights) -> None:
    original = tmp_path / "model.gguf"
    write_random_gguf(original, GgufRecipe(weights=dtype, hidden=256, feed_forward=512))
    roof = write_roof_model(tmp_path / "roof.gguf", original)

    assert roof.dtype == dtype
    spec = read_spec(roof.path)
    matrices = [one for one in spec.tensors if one.name.startswith("blk.") and len(one.shape) > 1]
    assert {one.dtype for one in matrices} == {dtype}
    assert spec.layers >= LEAST_LAYERS
    assert sum(one.size_bytes for one in matrices) >= LEAST_WEIGHTS_BYTES
    left_out = [one for one in matrices if one.name.startswith(f"blk.{spec.layers - 1}.ffn_")]
    assert roof.weights == sum(one.elements for one in matrices) - sum(one.elements for one in left_out)
    content = gguf.GGUFReader(roof.path).get_tensor(-2).data.tobytes()
    assert content[:4096] in original.read_bytes()
    assert len(set(content[:4096])) > 16


def test_the_values_are_numbers_that_stay_small(tmp_path: Path) -> None:
    write_random_gguf(tmp_path / "model.gguf", GgufRecipe(weights="F16"))
    roof = write_roof_model(tmp_path / "roof.gguf", tmp_path / "model.gguf")
    for one in gguf.GGUFReader(roof.path).tensors:
        assert np.isfinite(one.data).all()
        assert np.abs(one.data).max() < 100


def test_the_type_of_most_weights_counts() -> None:
    embedding = tensor("token_embd.weight", "Q6_K", 1000, 64)
    matrices = [tensor(f"blk.{number}.ffn_up.weight", "Q4_K", 256, 64) for number in range(5)]
    norm = tensor("output_norm.weight", "F32", 100_000)
    assert main_dtype([embedding, *matrices, norm]) == "Q4_K"
    assert main_dtype([embedding, *matrices[:3], norm]) == "Q6_K"
    assert main_dtype([norm]) == "F32"


def test_a_model_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError):
        write_roof_model(tmp_path / "roof.gguf", tmp_path / "absent.gguf")
    assert not (tmp_path / "roof.gguf").exists()
