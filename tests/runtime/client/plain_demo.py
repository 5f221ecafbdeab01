"""The demo model in 32-bit floats, for both engines: the same weights, fast where quantized kernels are slow."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import mlx.core as mx
from export_gguf import GgufType, convert, read_weights

from runtime.values.model import EngineName

DEMO_MODEL = Path(__file__).resolve().parents[3] / "assets" / "demo-model"


def write_plain_demo(folder: Path) -> dict[EngineName, Path]:
    """Write the demo model's INT8 weights as 32-bit floats and return where they are for each engine."""
    mlx_folder, gguf_file = folder / "mlx", folder / "demo.gguf"
    source = DEMO_MODEL / "mlx-int8"
    shutil.copytree(source, mlx_folder, ignore=shutil.ignore_patterns("*.safetensors*"))
    weights = {name: mx.array(weight) for name, weight in read_weights(source).items()}
    mx.save_safetensors(str(mlx_folder / "model.safetensors"), weights, {"format": "mlx"})
    config_file = mlx_folder / "config.json"
    config = json.loads(config_file.read_text(encoding="utf-8"))
    config_file.write_text(
        json.dumps({key: value for key, value in config.items() if not key.startswith("quantization")}),
        encoding="utf-8",
    )
    convert(mlx_folder, gguf_file, GgufType.F32)
    return {EngineName.MLX: mlx_folder, EngineName.LLAMACPP: gguf_file}
