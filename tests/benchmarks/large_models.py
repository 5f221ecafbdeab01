"""Random-weight models large enough that decoding is bound by memory bandwidth, as a real model's is."""

from __future__ import annotations

import sys
from pathlib import Path

from runtime.values.model import EngineName
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.models.random_mlx import write_random_mlx

# 21 layers of 15.7 million parameters each: 0.33 billion.
RECIPE = GgufRecipe(
    weights="Q8_0",
    layers=21,
    hidden=1024,
    feed_forward=3072,
    heads=16,
    kv_heads=8,
    head_dim=128,
    context_tokens=4096,
)


def large_model(engine: EngineName, folder: Path) -> Path:
    """Return a random Qwen3 of 0.33 billion parameters in the engine's format, made in `folder` if it is not there.

    INT8 (Q8_0) for llama.cpp; F32 for MLX, whose CPU backend is slow at quantized weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ("random-0.3b-q8_0.gguf" if engine is EngineName.LLAMACPP else "random-0.3b-f32")
    if path.exists():
        return path
    sys.stderr.write(f"making {path.name} …\n")
    if engine is EngineName.LLAMACPP:
        write_random_gguf(path, RECIPE)
    else:
        write_random_mlx(path, RECIPE)
    return path
