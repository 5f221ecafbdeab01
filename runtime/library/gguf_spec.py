"""A GGUF file (or the parts of one), from its header to a `ModelSpec`."""

from __future__ import annotations

import re
from pathlib import Path

from runtime.library.defects import broken, shown
from runtime.library.gguf_header import GgufHeader, read_gguf_header, string_at
from runtime.library.gguf_keys import GgufConfig, read_gguf_config
from runtime.library.gguf_kv import gguf_kv_layers
from runtime.library.gguf_shapes import check_gguf_shapes
from runtime.library.keys import Keys
from runtime.library.model_files import OpenModelFile, open_model_file
from runtime.library.quantization import gguf_quantization
from runtime.library.recurrent_state import gguf_recurrent_state_bytes
from runtime.library.spec import ChatTemplate, ModelSpec
from runtime.library.tensors import TensorInfo
from runtime.values.model import ModelFormat

PART_NAME = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")
MAX_PARTS = 2048
KV_ELEMENT_BYTES = 2
"""llama.cpp keeps the KV cache in 16 bits, whatever the weights are."""

TEMPLATE_KEY = "tokenizer.chat_template"
END_TOKEN_KEYS = ("eos_token_id", "eot_token_id", "eom_token_id")


def read_gguf_spec(path: Path, *, is_demo: bool, open_file: OpenModelFile = open_model_file) -> ModelSpec:
    """Return what the GGUF file `path` holds; of a file in parts, any part stands for all.

    Raises:
        ModelMissingError: there is no such file.
        ModelBrokenError: it is damaged, contradicts itself, or a part of it is missing.
        ModelUnsupportedError: it is of a version or kind that is not run.
    """
    parts = part_paths(path)
    headers = [read_gguf_header(part, open_file) for part in parts]
    tensors = tuple(tensor for header in headers for tensor in header.tensors)
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise broken(path, "two of its parts hold the same tensor")
    config = read_gguf_config(headers[0])
    check_gguf_shapes(parts[0], config, tensors)
    return _assembled(headers[0], config, tensors, is_demo=is_demo)


def part_paths(path: Path) -> tuple[Path, ...]:
    """Return all parts of the GGUF file that `path` is, or is a part of, the first one first.

    Raises:
        ModelBrokenError: a part is missing, or their number makes no sense.
    """
    named = PART_NAME.fullmatch(path.name)
    if named is None:
        return (path,)
    count = int(named[3])
    if not 1 <= int(named[2]) <= count <= MAX_PARTS:
        raise broken(path, "its name gives an impossible part number")
    parts = tuple(path.with_name(f"{named[1]}-{number:05d}-of-{count:05d}.gguf") for number in range(1, count + 1))
    missing = [part.name for part in parts if not part.exists()]
    if missing and path.exists():
        raise broken(path, f"{len(missing)} of its {count} parts are missing, {shown(missing[0])} first")
    return parts


def _assembled(header: GgufHeader, config: GgufConfig, tensors: tuple[TensorInfo, ...], *, is_demo: bool) -> ModelSpec:
    keys = Keys(header.path, header.values)
    kv_layers = gguf_kv_layers(config, tensors)
    end_ids = [_token_id(config, keys, name) for name in END_TOKEN_KEYS]
    return ModelSpec(
        name=_name(header, keys),
        path=header.path,
        format=ModelFormat.GGUF,
        architecture=config.architecture,
        parameters=sum(tensor.elements for tensor in tensors),
        weights_bytes=sum(tensor.size_bytes for tensor in tensors),
        quantization=gguf_quantization(tensors, keys.whole("general.file_type", least=0)),
        context_tokens=config.context_tokens,
        layers=config.layers,
        hidden_size=config.hidden_size,
        attention_heads=config.attention_heads[0] or None,
        kv_heads=kv_layers[0].kv_heads if kv_layers else None,
        head_dim=config.key_dim or None,
        vocabulary_size=config.tokens.count,
        kv_layers=kv_layers,
        kv_element_bytes=KV_ELEMENT_BYTES,
        recurrent_state_bytes=gguf_recurrent_state_bytes(config, tensors),
        sliding_window_tokens=next((run.window_tokens for run in kv_layers if run.window_tokens), None),
        experts=config.experts,
        license=keys.text("general.license"),
        chat_template=keys.text(TEMPLATE_KEY) or None,
        named_chat_templates=_named_templates(header),
        bos_token=_token(header, config, keys, "bos_token_id"),
        eos_token=_token(header, config, keys, "eos_token_id"),
        end_token_ids=tuple(dict.fromkeys(one for one in end_ids if one is not None)),
        add_bos=keys.flag("tokenizer.ggml.add_bos_token"),
        tensors=tensors,
        is_demo=is_demo,
    )


def _name(header: GgufHeader, keys: Keys) -> str:
    """Return the file's name without its ending: the name inside is that of the original, shared by all versions."""
    named = PART_NAME.fullmatch(header.path.name)
    return named[1] if named else header.path.stem or keys.text("general.name") or header.path.name


def _token(header: GgufHeader, config: GgufConfig, keys: Keys, name: str) -> str | None:
    index = _token_id(config, keys, name)
    return None if index is None else string_at(header, config.tokens, index)


def _token_id(config: GgufConfig, keys: Keys, name: str) -> int | None:
    """Return the id; one outside the vocabulary counts as none, as it does for llama.cpp."""
    value = keys.whole(f"tokenizer.ggml.{name}", least=-1, most=2**32 - 1)
    return value if value is not None and 0 <= value < config.tokens.count else None


def _named_templates(header: GgufHeader) -> tuple[ChatTemplate, ...]:
    found = (
        (key.removeprefix(f"{TEMPLATE_KEY}."), value) for key, value in header.values.items() if TEMPLATE_KEY in key
    )
    return tuple(ChatTemplate(name, value) for name, value in found if isinstance(value, str) and name != TEMPLATE_KEY)
