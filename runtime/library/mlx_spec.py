"""An MLX directory, from config.json and safetensors headers to a `ModelSpec`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from runtime.library.defects import broken, shown, unsupported
from runtime.library.mlx_config import MlxConfig, config_keys, read_mlx_config
from runtime.library.mlx_kv import mlx_kv_layers
from runtime.library.mlx_shapes import check_mlx_shapes, embedding_of
from runtime.library.model_files import (
    OpenModelFile,
    open_model_file,
    read_json_object,
    read_json_object_if_there,
)
from runtime.library.packed_weights import Weights, read_packing, unpack
from runtime.library.quantization import mlx_quantization
from runtime.library.recurrent_state import mlx_recurrent_state_bytes
from runtime.library.safetensors_header import read_safetensors_header
from runtime.library.spec import ModelSpec
from runtime.library.tensors import TensorInfo
from runtime.library.tokenizer_files import card_license, read_tokenizer_facts
from runtime.values.errors import ModelMissingError, UserFacingError
from runtime.values.model import ModelFormat

CONFIG_FILE = "config.json"
WEIGHTS_PATTERN = "model*.safetensors"
INDEX_FILE = "model.safetensors.index.json"
SHARD_NAME = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.safetensors")
MAX_SHARDS = 2048
NOT_LOADED = re.compile(r"\.rotary_emb\.inv_freq$")
"""Tensors that older exports hold and mlx-lm drops."""

CODE_KEY = "model_file"


def read_mlx_spec(folder: Path, *, is_demo: bool, open_file: OpenModelFile = open_model_file) -> ModelSpec:
    """Return what the MLX directory `folder` holds; `open_file` opens its weights.

    Raises:
        ModelMissingError: there is no model in it.
        ModelBrokenError: its files are damaged or contradict each other.
        ModelUnsupportedError: it needs code of its own, or weights of another format.
    """
    config_file = folder / CONFIG_FILE
    if not config_file.exists():
        raise ModelMissingError(
            f"The folder {shown(folder.name)} holds no model: it has no {CONFIG_FILE}.",
            "Choose a folder with config.json and model.safetensors, or a GGUF file.",
        )
    raw = read_json_object(config_file)
    _refuse_code(folder, raw)
    config = read_mlx_config(config_file, raw)
    tensors = _loaded(read_weight_files(folder, open_file), config)
    weights = unpack(folder, tensors, read_packing(config_file, config_keys(config_file, raw)))
    check_mlx_shapes(folder, config, weights)
    return _assembled(folder, raw, config, tensors, weights, is_demo=is_demo)


def read_weight_files(folder: Path, open_file: OpenModelFile = open_model_file) -> tuple[TensorInfo, ...]:
    """Return the tensor tables of all weight files in `folder`, one after the other.

    Raises:
        ModelBrokenError: there are no weights, a part is missing or damaged, or two parts hold the same tensor.
        ModelUnsupportedError: the weights are of another format.
    """
    files = sorted(folder.glob(WEIGHTS_PATTERN))
    if not files:
        raise _no_weights(folder)
    if len(files) > MAX_SHARDS:
        raise broken(folder, f"it has {len(files):,} weight files")
    _check_parts(folder, {file.name for file in files})
    tensors = tuple(tensor for file in files for tensor in read_safetensors_header(file, open_file))
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise broken(folder, "two of its weight files hold the same tensor")
    return tensors


def _no_weights(folder: Path) -> UserFacingError:
    if any(folder.glob("*.bin")) or any(folder.glob("*.pth")) or any(folder.glob("*.pt")):
        return unsupported(
            folder, "its weights are in PyTorch's own format", "Choose an MLX or GGUF version of the model."
        )
    return broken(folder, f"it has no weights ({WEIGHTS_PATTERN})")


def _check_parts(folder: Path, names: set[str]) -> None:
    """Check that every part is there that the index, or the number in a part's own name, asks for."""
    index = read_json_object_if_there(folder / INDEX_FILE).get("weight_map")
    wanted = {name for name in index.values() if isinstance(name, str)} if isinstance(index, dict) else set()
    for name in names:
        part = SHARD_NAME.fullmatch(name)
        if part and int(part[3]) <= MAX_SHARDS:
            wanted |= {f"{part[1]}-{number:05d}-of-{part[3]}.safetensors" for number in range(1, int(part[3]) + 1)}
    missing = sorted(wanted - names)
    if missing:
        raise broken(folder, f"{len(missing)} of its weight files are missing, {shown(missing[0])} first")


def _refuse_code(folder: Path, raw: dict[str, object]) -> None:
    """Refuse a model that is built by code of its own: nothing downloaded is ever executed.

    Scripts that merely lie there and `auto_map`, which names them, are left alone: many conversions carry them, and
    with `trust_remote_code=False` neither is read.
    """
    if CODE_KEY in raw:
        raise unsupported(
            folder,
            "it is built by Python code of its own, and code that comes with a model is never run",
            "Choose a version of the model without code of its own, or a GGUF version.",
        )


def _loaded(tensors: Sequence[TensorInfo], config: MlxConfig) -> tuple[TensorInfo, ...]:
    """Leave out what mlx-lm drops when it loads: a copy of a tied embedding, precomputed rotations."""
    tied = ("lm_head.",) if config.tied_embeddings else ()
    return tuple(
        tensor for tensor in tensors if not tensor.name.startswith(tied) and not NOT_LOADED.search(tensor.name)
    )


def _assembled(
    folder: Path,
    raw: dict[str, object],
    config: MlxConfig,
    tensors: tuple[TensorInfo, ...],
    weights: tuple[Weights, ...],
    *,
    is_demo: bool,
) -> ModelSpec:
    weights_bytes = sum(tensor.size_bytes for tensor in tensors)
    parameters = sum(one.parameters for one in weights)
    if parameters == 0:
        raise broken(folder, "it has no weights")
    kv_layers = mlx_kv_layers(config, weights)
    facts = read_tokenizer_facts(folder, raw)
    return ModelSpec(
        name=folder.name,
        path=folder,
        format=ModelFormat.MLX,
        architecture=config.architecture,
        parameters=parameters,
        weights_bytes=weights_bytes,
        quantization=mlx_quantization(weights, weights_bytes),
        context_tokens=config.context_tokens,
        layers=config.layers,
        hidden_size=config.hidden_size,
        attention_heads=config.attention_heads,
        kv_heads=kv_layers[0].kv_heads if kv_layers else None,
        head_dim=kv_layers[0].key_dim if kv_layers else None,
        vocabulary_size=_vocabulary_size(folder, config, weights),
        kv_layers=kv_layers,
        kv_element_bytes=_kv_element_bytes(tensors),
        recurrent_state_bytes=mlx_recurrent_state_bytes(
            weights, config_keys(folder / CONFIG_FILE, raw), _kv_element_bytes(tensors)
        ),
        sliding_window_tokens=next((run.window_tokens for run in kv_layers if run.window_tokens), None),
        experts=config.experts,
        license=card_license(folder),
        chat_template=facts.chat_template,
        named_chat_templates=facts.named_chat_templates,
        bos_token=facts.bos_token,
        eos_token=facts.eos_token,
        end_token_ids=facts.end_token_ids,
        add_bos=facts.add_bos,
        tensors=tensors,
        is_demo=is_demo,
    )


def _vocabulary_size(folder: Path, config: MlxConfig, weights: Sequence[Weights]) -> int:
    embedding = embedding_of(weights)
    if embedding is not None and embedding.shape:
        return embedding.shape[0]
    if config.vocabulary_size is None:
        raise broken(folder, "it does not say how large its vocabulary is")
    return config.vocabulary_size


def _kv_element_bytes(tensors: Sequence[TensorInfo]) -> int:
    """Return 4 if the activations, whose type the KV cache takes, are 32 bits wide, else 2.

    Activations take the type of the embedding (of its scales where it is packed) and widen to that of the norms.
    """
    carriers = [tensor for tensor in tensors if "embed" in tensor.name or "norm" in tensor.name]
    return 4 if any(tensor.dtype == "F32" for tensor in carriers) else 2
