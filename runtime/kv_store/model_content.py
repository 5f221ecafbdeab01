"""Which model a KV cache belongs to: a key that changes when any of the model's files does.

Reading gigabytes at every load would take longer than most prompts, so of large files names, sizes, times of change
and samples spread over them are hashed, and small ones whole. A copy of a model has another time of change: then its
prompts are read once more.
"""

from __future__ import annotations

import glob
import hashlib
import re
from pathlib import Path
from typing import BinaryIO

WHOLE_BYTES = 1 << 20
SAMPLES = 64
SAMPLE_BYTES = 4096
FILE_SUFFIXES = frozenset({".safetensors", ".json", ".jinja", ".model", ".txt", ".gguf"})
"""Weights, configuration, tokenizer, chat template."""
PART = re.compile(r"(.+)-\d{5}-of-(\d{5})\.gguf")
"""How the parts of a GGUF model in several files are named."""


def model_key(path: Path) -> str:
    """Return the key of the model at `path`: a file or a directory.

    Raises:
        OSError: it cannot be read.
    """
    total = hashlib.blake2b(digest_size=16)
    for file in _model_files(path):
        with file.open("rb") as stream:
            status = file.stat()
            total.update(repr((file.name, status.st_size, status.st_mtime_ns)).encode("utf-8", "surrogatepass"))
            _add_content(total, stream, status.st_size)
    return total.hexdigest()


def _model_files(path: Path) -> list[Path]:
    if not path.is_dir():
        part = PART.fullmatch(path.name)
        return [path] if part is None else sorted(path.parent.glob(f"{glob.escape(part[1])}-*-of-{part[2]}.gguf"))
    return sorted(file for file in path.iterdir() if file.suffix in FILE_SUFFIXES and file.is_file())


def _add_content(total: hashlib.blake2b, stream: BinaryIO, size: int) -> None:
    if size <= WHOLE_BYTES:
        total.update(stream.read())
        return
    for index in range(SAMPLES):
        stream.seek(index * (size - SAMPLE_BYTES) // (SAMPLES - 1))
        total.update(stream.read(SAMPLE_BYTES))
