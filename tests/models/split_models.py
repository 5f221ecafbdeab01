"""Models in parts: a GGUF file in several, an MLX directory whose weights are in several."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import mlx.core as mx
import numpy as np

from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.models.random_mlx import write_random_mlx

TINY = GgufRecipe()


def write_split_gguf(folder: Path, name: str, parts: int, recipe: GgufRecipe = TINY) -> list[Path]:
    """Write a GGUF model in `parts` files, the first with the keys, as llama.cpp's own tool does."""
    whole = folder / "whole.gguf"
    write_random_gguf(whole, recipe)
    reader = gguf.GGUFReader(whole)
    paths = [folder / f"{name}-{number:05d}-of-{parts:05d}.gguf" for number in range(1, parts + 1)]
    for number, path in enumerate(paths):
        writer = gguf.GGUFWriter(path, recipe.architecture)
        if number == 0:
            _copy_keys(reader, writer)
        for tensor in reader.tensors[number::parts]:
            writer.add_tensor(tensor.name, np.array(tensor.data), raw_dtype=tensor.tensor_type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    whole.unlink()
    return paths


def _copy_keys(reader: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            inner = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(name, field.contents(), field.types[0], inner)


def write_split_mlx(folder: Path, parts: int, *, quantized_bits: int | None = None) -> None:
    """Write an MLX directory whose weights are in `parts` files, with an index."""
    write_random_mlx(folder, quantized_bits=quantized_bits)
    whole = folder / "model.safetensors"
    loaded = mx.load(str(whole))
    assert isinstance(loaded, dict)
    names = sorted(loaded)
    weight_map: dict[str, str] = {}
    for number in range(parts):
        name = f"model-{number + 1:05d}-of-{parts:05d}.safetensors"
        share = {key: loaded[key] for key in names[number::parts]}
        mx.save_safetensors(str(folder / name), share, {"format": "mlx"})
        weight_map |= dict.fromkeys(share, name)
    whole.unlink()
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
