"""Which model exactly was measured: its headers, and a hash of its content, remembered as long as no file changes.

The hash of a GGUF file is the SHA-256 of its bytes, the one that model hubs show for it. That of a model in several
files is the SHA-256 of the lines "name, NUL, SHA-256 of the file" in the order of the names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from runtime.config.atomic_file import replace_file
from runtime.library.gguf_spec import PART_NAME
from runtime.library.local import FORMAT_OF
from runtime.library.reader import read_spec
from runtime.values.errors import ModelBrokenError
from runtime.values.model import EngineName, ModelFormat, Quantization

CACHE_FILE_NAME = "model-hashes.json"
MODEL_SUFFIXES = frozenset({".safetensors", ".json", ".jinja", ".model", ".txt"})
"""Of an MLX directory: weights, configuration, tokenizer, chat template; not read-me files and pictures."""
MOST_REMEMBERED = 1000


class ModelIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was measured.

    Attributes:
        name: what the user calls it.
        filename: last part of its path.
        format: how it lies on disk.
        sha256: of its content, see above.
        weights_bytes: bytes of all tensors.
        parameters: number of weights; None where the files do not say (scripts).
        quantization: name and effective bits per weight; None where the files do not say.
        context_tokens: the context it was made for; None where the files do not say.
    """

    name: str
    filename: str
    format: ModelFormat
    sha256: str
    weights_bytes: int
    parameters: int | None
    quantization: Quantization | None
    context_tokens: int | None


class _Remembered(msgspec.Struct, frozen=True):
    """The hash of a file as long as it has this size and this time of change."""

    size: int
    changed_ns: int
    sha256: str


class HashCache:
    """SHA-256 of files, remembered in a file of its own; one that is damaged or cannot be written only costs time."""

    def __init__(self, file: Path, read: Callable[[Path], str] | None = None) -> None:
        self._file = file
        self._read = read or _sha256_of_file
        self._known = _read_known(file)

    def sha256(self, path: Path) -> str:
        """Return the hash of a file, reading it only if it has changed since.

        Raises:
            ModelBrokenError: it cannot be read.
        """
        try:
            status = path.stat()
            known = self._known.get(str(path))
            if known is not None and (known.size, known.changed_ns) == (status.st_size, status.st_mtime_ns):
                return known.sha256
            found = self._read(path)
        except OSError as error:
            raise ModelBrokenError(
                f"{path.name} cannot be read.", "Check its permissions, or download it again.", detail=str(error)
            ) from error
        self._remember(path, _Remembered(status.st_size, status.st_mtime_ns, found))
        return found

    def _remember(self, path: Path, entry: _Remembered) -> None:
        self._known.pop(str(path), None)
        self._known[str(path)] = entry
        self._known = dict(list(self._known.items())[-MOST_REMEMBERED:])
        with suppress(OSError):  # What cannot be remembered is computed again.
            self._file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._file, msgspec.json.encode(self._known))


def identify(name: str, path: Path, engine: EngineName, hashes: HashCache) -> ModelIdentity:
    """Return which model lies at `path`. Reads all of it the first time: seconds for gigabytes.

    Raises:
        UserFacingError: it is missing or damaged.
    """
    sha256 = model_sha256(path, hashes)
    bare = msgspec.structs.replace(unidentified(name, path, engine), sha256=sha256)
    if engine is EngineName.SCRIPTED:
        return bare
    spec = read_spec(path)
    return msgspec.structs.replace(
        bare,
        format=spec.format,
        weights_bytes=spec.weights_bytes,
        parameters=spec.parameters,
        quantization=spec.quantization,
        context_tokens=spec.context_tokens,
    )


def unidentified(name: str, path: Path, engine: EngineName) -> ModelIdentity:
    """Return what is known of a model that has not been read, or cannot be."""
    return ModelIdentity(
        name=name,
        filename=path.name,
        format=FORMAT_OF[engine],
        sha256="",
        weights_bytes=0,
        parameters=None,
        quantization=None,
        context_tokens=None,
    )


def model_sha256(path: Path, hashes: HashCache) -> str:
    """Return the hash of the model at `path`: a file, the first of several parts, or a directory.

    Raises:
        ModelBrokenError: it cannot be read.
    """
    files = _model_files(path)
    if len(files) == 1 and files[0] == path:
        return hashes.sha256(path)
    lines = [f"{file.name}\0{hashes.sha256(file)}\n" for file in sorted(files, key=lambda file: file.name)]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _model_files(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in path.iterdir() if file.suffix in MODEL_SUFFIXES and file.is_file()]
    part = PART_NAME.fullmatch(path.name)
    if part is None:
        return [path]
    siblings = ((file, PART_NAME.fullmatch(file.name)) for file in path.parent.iterdir())
    return [file for file, other in siblings if other is not None and (other[1], other[3]) == (part[1], part[3])]


def _sha256_of_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_known(file: Path) -> dict[str, _Remembered]:
    with suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):  # What is unreadable is computed again.
        return msgspec.json.decode(file.read_bytes(), type=dict[str, _Remembered])
    return {}
