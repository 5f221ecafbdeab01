"""Which files of a repository a model needs, and under which names they may lie here.

Only what is on the lists below is ever asked for: no code, no pickled weights, nothing that merely lies there. Paths
come from strangers: one that leads out of its folder is refused, whatever it is for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import msgspec

from runtime.hub.grouping import HubVariant
from runtime.hub.listing import HubFile, Repository
from runtime.library.defects import shown
from runtime.library.mlx_spec import CONFIG_FILE, INDEX_FILE
from runtime.library.tokenizer_files import TOKENIZERS
from runtime.values.errors import DownloadError, HubMissingError, ModelUnsupportedError
from runtime.values.model import ModelFormat

VOCABULARIES = frozenset({*TOKENIZERS, "merges.txt"})
SETTINGS = frozenset(
    {
        CONFIG_FILE,
        INDEX_FILE,
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "generation_config.json",
        "chat_template.json",
        "chat_template.jinja",
        "README.md",
    }
)
WEIGHTS = re.compile(r"model[^/]*\.safetensors")
FURTHER = re.compile(
    r"[^/]+\.tiktoken|additional_chat_templates/[^/]+\.jinja|(?:LICENSE|LICENCE|NOTICE)(?:\.txt|\.md)?"
)
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
MOST_PATH_BYTES = 1024
MOST_NAME_BYTES = 200
"""Room is left for an ending of ours; file systems take 255."""
NOT_IN_NAMES = re.compile(r'[<>:"|?*\\]')
DEVICE_NAMES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
"""Names that Windows gives to devices, whatever follows the dot."""


class NeededFile(msgspec.Struct, frozen=True):
    """A file to fetch, and the path it gets below the model's folder ("/" between its parts)."""

    remote: HubFile
    target: str


def needed_files(repository: Repository, variant: HubVariant) -> tuple[NeededFile, ...]:
    """Return what `variant` consists of: settings first, weights after them.

    Raises:
        DownloadError: a path leads out of its folder, or two would get the same name.
        HubMissingError: the repository no longer has the files.
        ModelUnsupportedError: it holds nothing that an engine here runs.
    """
    files = _gguf_files(repository, variant) if variant.format is ModelFormat.GGUF else _mlx_files(repository)
    needed = tuple(NeededFile(file, local_path(file.path, variant.format)) for file in files)
    names = [unicodedata.normalize("NFC", one.target).casefold() for one in needed]
    if len(set(names)) < len(names):
        raise DownloadError(
            f"{shown(repository.repo.repo_id)} has two files whose names are the same on this system.",
            "Choose another version of the model.",
        )
    return needed


def is_weights(target: str) -> bool:
    """Return whether a file that is needed holds weights."""
    return target.endswith((".safetensors", ".gguf"))


def local_path(path: str, model_format: ModelFormat) -> str:
    """Return the path under which the file `path` of a repository may lie here.

    Characters that some systems have no use for become "_". A GGUF file keeps at most one folder.

    Raises:
        DownloadError: the path leads out of its folder, is too long or has characters that no name has.
    """
    parts = path.split("/")
    if len(path.encode("utf-8", "surrogatepass")) > MOST_PATH_BYTES or not all(map(_is_name, parts)):
        raise DownloadError(
            f"A file of this model is called {shown(path)}, which is no name for a file.",
            "Choose a version of the model from another publisher.",
        )
    names = [_portable(part) for part in parts]
    return "/".join(names[-2:] if model_format is ModelFormat.GGUF else names)


def _is_name(part: str) -> bool:
    try:
        length = len(part.encode("utf-8"))
    except UnicodeEncodeError:
        return False
    return (
        0 < length <= MOST_NAME_BYTES
        and part.strip(". ") != ""
        and "\\" not in part
        and all(unicodedata.category(character) not in {"Cc", "Cs"} for character in part)
    )


def _portable(part: str) -> str:
    name = NOT_IN_NAMES.sub("_", part).rstrip(". ")
    return f"_{name}" if DEVICE_NAMES.fullmatch(name) or name.startswith(".") else name


def _gguf_files(repository: Repository, variant: HubVariant) -> Sequence[HubFile]:
    there = {file.path: file for file in repository.files}
    missing = [path for path in variant.files if path not in there]
    if missing or not variant.files:
        raise HubMissingError(
            f"{shown(repository.repo.repo_id)} no longer has {shown(missing[0]) if missing else 'a GGUF file'}.",
            "Search again: it may have been renamed.",
        )
    return [there[path] for path in variant.files]


def _mlx_files(repository: Repository) -> Sequence[HubFile]:
    weights = [file for file in repository.files if WEIGHTS.fullmatch(file.path)]
    others = [file for file in repository.files if _is_wanted(file.path)]
    if not weights or not any(file.path == CONFIG_FILE for file in others):
        raise _nothing_usable(repository)
    return [*others, *weights]


def _is_wanted(path: str) -> bool:
    return path in SETTINGS or path in VOCABULARIES or FURTHER.fullmatch(path) is not None


def _nothing_usable(repository: Repository) -> ModelUnsupportedError:
    name = shown(repository.repo.repo_id)
    paths = [file.path for file in repository.files]
    if any(path.endswith(".gguf") for path in paths):
        return ModelUnsupportedError(f"{name} holds GGUF files, and no MLX model.", "Choose one of its GGUF files.")
    if any(path.endswith(PICKLES) for path in paths):
        return ModelUnsupportedError(
            f"{name} has its weights in PyTorch's own format, which can run code when it is read.",
            "Choose an MLX or GGUF version of the model.",
        )
    return ModelUnsupportedError(
        f"{name} holds no model that can run here.", "Choose an MLX or GGUF version of the model."
    )
