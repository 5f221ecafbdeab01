"""Convert a Qwen3 folder in the Hugging Face or MLX layout into one GGUF file.

Quantized MLX folders are dequantized first, so any folder that MLX can run can be compared with llama.cpp. Qwen3 needs
no permutation of queries and keys. The quantizers are those of the `gguf` package; torch is not needed.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import gguf
import mlx.core as mx
import numpy as np
from gguf import GGMLQuantizationType, LlamaFileType
from numpy.typing import NDArray

PRE_TOKENIZER = "qwen2"
QUANTIZED_PARTS = (".scales", ".biases")


class GgufType(StrEnum):
    """The tensor types that can be written."""

    F32 = "f32"
    F16 = "f16"
    Q8_0 = "q8_0"
    Q4_0 = "q4_0"


FILE_TYPES = {
    GgufType.F32: LlamaFileType.ALL_F32,
    GgufType.F16: LlamaFileType.MOSTLY_F16,
    GgufType.Q8_0: LlamaFileType.MOSTLY_Q8_0,
    GgufType.Q4_0: LlamaFileType.MOSTLY_Q4_0,
}
TENSOR_TYPES = {
    GgufType.F32: GGMLQuantizationType.F32,
    GgufType.F16: GGMLQuantizationType.F16,
    GgufType.Q8_0: GGMLQuantizationType.Q8_0,
    GgufType.Q4_0: GGMLQuantizationType.Q4_0,
}
BLOCK = 32


@dataclass(frozen=True)
class ModelCard:
    """What the file says about itself."""

    name: str
    description: str = ""
    license: str = ""
    size_label: str = ""
    author: str = ""


DEMO_CARD = ModelCard(
    name="First Token Demo",
    description=(
        "A tiny demo model that ships with First Token so that the first message works without a network. "
        "It answers questions about inference and the app, and nothing else."
    ),
    license="apache-2.0",
    size_label="5.5M",
    author="First Token",
)


def _read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object, or an empty one if the file is missing."""
    if not path.exists():
        return {}
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def _dequantized(name: str, arrays: dict[str, mx.array], config: dict[str, Any]) -> mx.array:
    """Return a weight in floating point, undoing MLX's quantization where there is any."""
    path = name.removesuffix(".weight")
    scales = arrays.get(path + ".scales")
    if scales is None:
        return arrays[name]
    common = config["quantization"]
    own = common.get(path) if isinstance(common.get(path), dict) else {}
    settings = {"group_size": 64, "bits": 4, "mode": "affine", **common, **own}
    return mx.dequantize(
        arrays[name],
        scales,
        arrays.get(path + ".biases"),
        group_size=settings["group_size"],
        bits=settings["bits"],
        mode=settings["mode"],
    )


def read_weights(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Read all weights of a folder as 32-bit floats.

    Raises:
        FileNotFoundError: if the folder has no safetensors file.
    """
    arrays: dict[str, mx.array] = {}
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"no safetensors file in {folder}")
    for file in files:
        arrays.update(cast(dict[str, mx.array], mx.load(str(file))))
    config = _read_json(folder / "config.json")
    names = [name for name in arrays if not name.endswith(QUANTIZED_PARTS)]
    return {name: np.array(_dequantized(name, arrays, config).astype(mx.float32)) for name in names}


def _encoded(
    weight: NDArray[np.float32], wanted: GGMLQuantizationType
) -> tuple[NDArray[Any], GGMLQuantizationType | None]:
    """Return the bytes of a tensor and its type; vectors stay exact, odd rows fall back to 16 bits."""
    if weight.ndim == 1 or wanted == GGMLQuantizationType.F32:
        return np.ascontiguousarray(weight), None
    if wanted == GGMLQuantizationType.F16 or weight.shape[-1] % BLOCK:
        return weight.astype(np.float16), None
    return gguf.quants.quantize(weight, wanted), wanted


def _write_tensors(writer: gguf.GGUFWriter, folder: Path, layers: int, gguf_type: GgufType) -> None:
    """Add all tensors under llama.cpp's names; a 4-bit file keeps the embedding in 8 bits, as is usual."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, layers)
    for name, weight in read_weights(folder).items():
        target = names.get_name(name, try_suffixes=(".weight",))
        if target is None:
            raise ValueError(f"{name} is not a tensor of a Qwen3 model")
        wanted = TENSOR_TYPES[gguf_type]
        if wanted == GGMLQuantizationType.Q4_0 and target.startswith(("token_embd", "output.")):
            wanted = GGMLQuantizationType.Q8_0
        data, raw_type = _encoded(weight, wanted)
        writer.add_tensor(target, data, raw_dtype=raw_type)


def _write_architecture(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    """Add the numbers that define the network."""
    head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    rope = config.get("rope_parameters") or {}
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config.get("rope_theta") or rope["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])


def _write_card(writer: gguf.GGUFWriter, card: ModelCard, gguf_type: GgufType) -> None:
    """Add what people read: name, licence, description, file type."""
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(card.name)
    for add, value in (
        (writer.add_description, card.description),
        (writer.add_license, card.license),
        (writer.add_size_label, card.size_label),
        (writer.add_author, card.author),
    ):
        if value:
            add(value)
    writer.add_file_type(FILE_TYPES[gguf_type])
    if gguf_type in (GgufType.Q8_0, GgufType.Q4_0):
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _vocabulary(tokenizer: dict[str, Any], size: int) -> tuple[list[str], list[gguf.TokenType]]:
    """Return the text and the type of every token id; ids without a token are marked unused."""
    texts = {index: text for text, index in tokenizer["model"]["vocab"].items()}
    added = {token["id"]: token for token in tokenizer.get("added_tokens", [])}
    names, types = list[str](), list[gguf.TokenType]()
    for index in range(size):
        if index in added:
            names.append(added[index]["content"])
            types.append(gguf.TokenType.CONTROL if added[index]["special"] else gguf.TokenType.USER_DEFINED)
        else:
            names.append(texts.get(index, f"[unused {index}]"))
            types.append(gguf.TokenType.NORMAL if index in texts else gguf.TokenType.UNUSED)
    return names, types


def _token_text(value: str | dict[str, str] | None) -> str | None:
    """Return a special token's text, which may be wrapped in an object."""
    return value["content"] if isinstance(value, dict) else value


def _write_special_tokens(writer: gguf.GGUFWriter, folder: Path, ids: dict[str, int]) -> None:
    """Add end, padding and begin ids; without the last llama.cpp would take an ordinary token for it."""
    settings = _read_json(folder / "tokenizer_config.json")
    end, pad = _token_text(settings.get("eos_token")), _token_text(settings.get("pad_token"))
    begin = _token_text(settings.get("bos_token")) or pad or end
    for add, text in (
        (writer.add_eos_token_id, end),
        (writer.add_pad_token_id, pad),
        (writer.add_bos_token_id, begin),
    ):
        if text in ids:
            add(ids[text])
    writer.add_add_bos_token(value=False)
    template = folder / "chat_template.jinja"
    text = template.read_text(encoding="utf-8") if template.exists() else settings.get("chat_template")
    if text:
        writer.add_chat_template(text)


def _write_tokenizer(writer: gguf.GGUFWriter, folder: Path, size: int) -> None:
    """Add vocabulary, merges, special tokens and the chat template."""
    tokenizer = _read_json(folder / "tokenizer.json")
    names, types = _vocabulary(tokenizer, size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list(names)
    writer.add_token_types(types)
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    _write_special_tokens(writer, folder, {name: index for index, name in enumerate(names)})


def convert(source: Path, target: Path, gguf_type: GgufType, card: ModelCard | None = None) -> Path:
    """Write a Qwen3 folder as a GGUF file.

    Args:
        source: folder with config.json, safetensors (plain or quantized by MLX) and tokenizer files.
        target: the file to write; it appears only when it is complete.
        gguf_type: the type of the matrices.
        card: what the file says about itself; the folder's name if not given.

    Returns:
        The written file.

    Raises:
        ValueError: if the folder does not hold a Qwen3 model.
    """
    config = _read_json(source / "config.json")
    if config.get("model_type") != "qwen3":
        raise ValueError(f"{source} holds no Qwen3 model")
    part = target.with_name(target.name + ".part")
    writer = gguf.GGUFWriter(str(part), gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.QWEN3])
    _write_card(writer, card or ModelCard(name=source.name), gguf_type)
    _write_architecture(writer, config)
    _write_tokenizer(writer, source, config["vocab_size"])
    _write_tensors(writer, source, config["num_hidden_layers"], gguf_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return part.replace(target)


def main() -> None:
    """Convert a folder; with --demo, write the two files that ship."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path, help="file to write, or with --demo the folder for both files")
    parser.add_argument("--type", type=GgufType, default=GgufType.Q8_0, choices=list(GgufType))
    parser.add_argument("--demo", action="store_true")
    arguments = parser.parse_args()
    if arguments.demo:
        for gguf_type in (GgufType.Q8_0, GgufType.Q4_0):
            convert(arguments.source, arguments.target / f"demo-{gguf_type}.gguf", gguf_type, DEMO_CARD)
    else:
        convert(arguments.source, arguments.target, arguments.type)


if __name__ == "__main__":
    main()
