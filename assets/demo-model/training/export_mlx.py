"""Turn a trained checkpoint into the MLX folders that ship: plain 32-bit, INT8 and INT4.

The checkpoint folder already has the Hugging Face layout with MLX's parameter names, so loading it is the conversion;
the quantized folders are made by mlx-lm's own quantizer, embedding included.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx.utils import tree_map
from mlx_lm.utils import load_model, quantize_model, save_model

GROUP_SIZE = 64
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")

# The header is what programs read; the words are for whoever opens the folder.
CARD = """---
license: apache-2.0
library_name: mlx
pipeline_tag: text-generation
---

The demo model of First Token in INT{bits}. Its model card is the README.md one folder up.
"""


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy what a chat needs beside the weights."""
    target.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        shutil.copyfile(source / name, target / name)


def write_config(config: dict[str, Any], target: Path) -> None:
    """Write config.json with sorted keys and without anything that names a machine."""
    kept = {key: value for key, value in sorted(config.items()) if key != "_name_or_path"}
    (target / "config.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _write_weights(target: Path, model: Module) -> None:
    """Write the weights as one file; the index is needed only for several."""
    save_model(target, model)
    (target / "model.safetensors.index.json").unlink(missing_ok=True)


def export_plain(checkpoint: Path, target: Path) -> None:
    """Write the unquantized model in 32 bits, the reference for every comparison."""
    model, config = load_model(checkpoint)
    copy_tokenizer(checkpoint, target)
    _write_weights(target, model)
    write_config(config, target)


def export_quantized(checkpoint: Path, target: Path, bits: int) -> None:
    """Write the model with integer weights; scales and norms are stored in 16 bits."""
    model, config = load_model(checkpoint)
    model.update(tree_map(lambda array: array.astype(mx.float16), model.parameters()))
    model, config = quantize_model(model, config, GROUP_SIZE, bits)
    copy_tokenizer(checkpoint, target)
    (target / "README.md").write_text(CARD.format(bits=bits), encoding="utf-8")
    _write_weights(target, model)
    write_config(config | {"torch_dtype": "float16"}, target)


def main() -> None:
    """Write the chosen variants of a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent.parent, help="folder for mlx-int8, mlx-int4"
    )
    parser.add_argument("--plain", type=Path, help="also write the unquantized model to this folder")
    arguments = parser.parse_args()
    if arguments.plain:
        export_plain(arguments.checkpoint, arguments.plain)
    for bits in (8, 4):
        export_quantized(arguments.checkpoint, arguments.output / f"mlx-int{bits}", bits)


if __name__ == "__main__":
    main()
