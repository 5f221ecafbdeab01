"""What lies beside an MLX model's weights: tokenizer settings, chat templates, generation settings, model card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from runtime.library.defects import broken
from runtime.library.model_files import read_json_object_if_there, read_model_file
from runtime.library.spec import ChatTemplate

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer.model.v3", "tekken.json")
TOKENIZER_SUFFIX = ".tiktoken"
DEFAULT_TEMPLATE = "default"
MAX_TEMPLATE_BYTES = 1 << 20
MAX_NAMED_TEMPLATES = 64
MAX_CARD_BYTES = 1 << 20
MAX_END_TOKENS = 256
CARD_LICENSE = re.compile(r"^license:[ \t]*[\"']?([A-Za-z0-9._+-]{1,64})", re.MULTILINE)
CARD_HEADER = re.compile(r"\A---\r?\n(.*?)\r?\n---", re.DOTALL)


class TokenizerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the tokenizer's files say; see `ModelSpec` for the fields."""

    chat_template: str | None
    named_chat_templates: tuple[ChatTemplate, ...]
    bos_token: str | None
    eos_token: str | None
    end_token_ids: tuple[int, ...]
    add_bos: bool | None


def read_tokenizer_facts(folder: Path, config: Mapping[str, object]) -> TokenizerFacts:
    """Read what lies in `folder`; `config` is its config.json.

    Raises:
        ModelBrokenError: there is no tokenizer, or one of the files is damaged.
    """
    check_tokenizer(folder)
    settings = read_json_object_if_there(folder / "tokenizer_config.json")
    special = read_json_object_if_there(folder / "special_tokens_map.json")
    generation = read_json_object_if_there(folder / "generation_config.json")
    templates = _chat_templates(folder, settings)
    add_bos = settings.get("add_bos_token")
    return TokenizerFacts(
        chat_template=templates.pop(DEFAULT_TEMPLATE, None),
        named_chat_templates=tuple(ChatTemplate(name, source) for name, source in templates.items()),
        bos_token=_token(settings.get("bos_token")) or _token(special.get("bos_token")),
        eos_token=_token(settings.get("eos_token")) or _token(special.get("eos_token")),
        end_token_ids=_ids(generation.get("eos_token_id")) or _ids(config.get("eos_token_id")),
        add_bos=add_bos if isinstance(add_bos, bool) else None,
    )


def check_tokenizer(folder: Path) -> None:
    """Check that `folder` holds a tokenizer of some kind.

    Raises:
        ModelBrokenError: it does not.
    """
    if any((folder / name).exists() for name in TOKENIZERS):
        return
    if not any(name.suffix == TOKENIZER_SUFFIX for name in folder.iterdir()):
        raise broken(folder, "it has no tokenizer")


def card_license(folder: Path) -> str | None:
    """Return the license that the model card (README.md) states in its header."""
    card = folder / "README.md"
    if not card.exists():
        return None
    with_header = CARD_HEADER.match(read_model_file(card, MAX_CARD_BYTES).decode("utf-8", errors="replace"))
    stated = CARD_LICENSE.search(with_header[1]) if with_header else None
    return stated[1] if stated else None


def _chat_templates(folder: Path, settings: Mapping[str, object]) -> dict[str, str]:
    """Return templates by name. Later ones win: tokenizer_config.json, chat_template.json, then the .jinja files."""
    templates = _named(settings.get("chat_template"))
    templates |= _named(read_json_object_if_there(folder / "chat_template.json").get("chat_template"))
    further = folder / "additional_chat_templates"
    files = sorted(further.glob("*.jinja"))[:MAX_NAMED_TEMPLATES] if further.is_dir() else []
    templates |= {file.stem: _template(file) for file in files}
    default = folder / "chat_template.jinja"
    if default.exists():
        templates[DEFAULT_TEMPLATE] = _template(default)
    return templates


def _template(file: Path) -> str:
    try:
        return read_model_file(file, MAX_TEMPLATE_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise broken(file, "it is not UTF-8", str(error)) from error


def _named(value: object) -> dict[str, str]:
    """Return the templates of either form: one text, or a list of objects with `name` and `template`."""
    if isinstance(value, str):
        return {DEFAULT_TEMPLATE: value}
    if not isinstance(value, list):
        return {}
    entries = [entry for entry in value[:MAX_NAMED_TEMPLATES] if isinstance(entry, dict)]
    pairs = [(entry.get("name"), entry.get("template")) for entry in entries]
    return {name: source for name, source in pairs if isinstance(name, str) and isinstance(source, str)}


def _token(value: object) -> str | None:
    """Return a token's text, which is given as such or as the `content` of an object."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) and value else None


def _ids(value: object) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(
        one
        for one in values[:MAX_END_TOKENS]
        if isinstance(one, int) and not isinstance(one, bool) and 0 <= one < 2**31
    )
