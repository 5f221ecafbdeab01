"""What models' headers say, kept between starts: reading them anew takes seconds where there are hundreds of models.

What is kept of a model holds as long as names, sizes and times of its files are the same. A cache that cannot be read,
or that another version of the app wrote, is empty, and one that cannot be written is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from runtime.config.atomic_file import replace_file
from runtime.config.paths import AppPaths
from runtime.library.decode_reads import decode_reads
from runtime.library.installed import InstalledModel
from runtime.library.reader import read_spec
from runtime.library.scan import ScannedFile
from runtime.library.spec import ModelSpec
from runtime.values.errors import UserFacingError
from runtime.values.memory_reads import DecodeReads

CACHE_FILE_NAME = "model-headers.json"
FORM = 2
"""Raise it with every change of what readers of headers find out: what was kept before is then read anew."""
MAX_FILE_BYTES = 64_000_000
MAX_ENTRIES = 5000


class ModelHeaders(msgspec.Struct, frozen=True, kw_only=True):
    """What the list of models needs to know of one.

    Attributes:
        spec: what the model is, without tensor table and chat templates; None where its files cannot be read.
        reads: what writing a token reads; None where that is not known.
        has_chat_template: whether it can chat.
        problem: empty, or why it cannot be used.
    """

    spec: ModelSpec | None
    reads: DecodeReads | None = None
    has_chat_template: bool = False
    problem: str = ""


class _Entry(msgspec.Struct, frozen=True):
    stamp: str
    headers: ModelHeaders


class _Content(msgspec.Struct, frozen=True):
    form: int
    entries: dict[str, _Entry]


def read_headers(path: Path) -> ModelHeaders:
    """Return what the headers of the model at `path` say, or what is wrong with it."""
    try:
        spec = read_spec(path)
    except UserFacingError as error:
        return ModelHeaders(spec=None, problem=error.what)
    return ModelHeaders(
        spec=msgspec.structs.replace(spec, tensors=(), chat_template=None, named_chat_templates=()),
        reads=decode_reads(spec),
        has_chat_template=spec.chat_template is not None,
    )


class HeaderCache:
    """Headers of models, by path."""

    def __init__(self, paths: AppPaths) -> None:
        self._file = paths.cache / CACHE_FILE_NAME
        self._entries = dict(_read(self._file))
        self._fresh: dict[str, _Entry] = {}

    def headers_of(self, model: InstalledModel) -> ModelHeaders:
        """Return what the headers of `model` say; they are read only if its files have changed."""
        key, stamp = str(model.path), _stamp(model.files)
        kept = self._entries.get(key)
        if kept is not None and kept.stamp == stamp:
            return kept.headers
        headers = read_headers(model.path)
        self._entries[key] = self._fresh[key] = _Entry(stamp, headers)
        return headers

    def save(self) -> None:
        """Keep what was read anew."""
        if not self._fresh:
            return
        # Of too many, those looked at least recently go.
        newest = dict(list({**self._entries, **self._fresh}.items())[-MAX_ENTRIES:])
        with suppress(OSError, UnicodeEncodeError):  # What is not kept is read again.
            self._file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._file, msgspec.json.encode(_Content(FORM, newest), enc_hook=_path_text))
        self._fresh = {}


def _read(file: Path) -> Mapping[str, _Entry]:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        kept = msgspec.json.decode(content, type=_Content, dec_hook=_path_from)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return kept.entries if kept.form == FORM and len(content) <= MAX_FILE_BYTES else {}


def _stamp(files: Sequence[ScannedFile]) -> str:
    import hashlib  # noqa: PLC0415 - loads a library of three megabytes: once models are listed, not with the picker

    parts = repr([(file.name, file.size_bytes, file.modified_ns) for file in files])
    return hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _path_text(value: Any) -> str:  # noqa: ANN401 - what msgspec hands to its hooks
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(type(value))


def _path_from(kind: type[Any], value: Any) -> Any:  # noqa: ANN401 - what msgspec hands to its hooks
    return kind(value)
