"""What the tests' Hub hosts: repositories and their files, with the ids and hashes the real Hub gives them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LFS_SUFFIXES = (".safetensors", ".gguf", ".bin", ".pt", ".model")
LFS_LEAST_BYTES = 1_000_000


@dataclass(frozen=True)
class Sparse:
    """Content of any size that costs nothing: `head`, then zeros."""

    head: bytes
    size: int


Content = bytes | Path | Sparse


@dataclass(frozen=True)
class HostedFile:
    """A file as the server has it.

    Attributes:
        content: what it serves.
        claimed_sha256: what it says the hash is; None: the truth.
        claimed_size: what the listing says the size is; None: the truth.
    """

    content: Content
    claimed_sha256: str | None = None
    claimed_size: int | None = None

    @property
    def size(self) -> int:
        """Bytes it serves."""
        match self.content:
            case bytes():
                return len(self.content)
            case Path():
                return self.content.stat().st_size
            case Sparse():
                return self.content.size

    @property
    def sha256(self) -> str:
        """The hash of the content, or what it claims."""
        if self.claimed_sha256 is not None:
            return self.claimed_sha256
        if isinstance(self.content, Sparse):
            return hashlib.sha256(self.content.head).hexdigest()
        return hashlib.sha256(self.read(0, self.size)).hexdigest()

    @property
    def git_id(self) -> str:
        """The id git gives to the content."""
        content = self.read(0, self.size)
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()

    def read(self, offset: int, count: int) -> bytes:
        """Return `count` bytes at `offset`, or what is there of them."""
        match self.content:
            case bytes():
                return self.content[offset : offset + count]
            case Path():
                with self.content.open("rb") as stream:
                    stream.seek(offset)
                    return stream.read(count)
            case Sparse():
                head = self.content.head[offset : offset + count]
                return head + bytes(max(0, min(count, self.content.size - offset) - len(head)))


def is_lfs(path: str, file: HostedFile) -> bool:
    """Return whether the Hub keeps the file outside of git."""
    return path.endswith(LFS_SUFFIXES) or file.size >= LFS_LEAST_BYTES


@dataclass
class HostedRepo:
    """A model repository.

    Attributes:
        repo_id: "publisher/name".
        files: by path.
        tags: as the Hub lists them ("mlx", "license:mit", "base_model:quantized:…").
        gated: False, "auto" or "manual".
        private: only to be seen with a token.
        fields: further fields of the listing, by their names in the API.
        accepted: tokens whose owners accepted the terms.
    """

    repo_id: str
    files: dict[str, HostedFile]
    tags: tuple[str, ...] = ()
    gated: str | bool = False
    private: bool = False
    fields: Mapping[str, object] = field(default_factory=dict)
    accepted: frozenset[str] = frozenset()

    @property
    def commit(self) -> str:
        """An id that changes with every file's name and size."""
        text = repr(sorted((path, file.size) for path, file in self.files.items()))
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def repo_from_folder(repo_id: str, folder: Path, tags: tuple[str, ...] = ()) -> HostedRepo:
    """Return a repository with the files in `folder`."""
    files = {path.relative_to(folder).as_posix(): HostedFile(path) for path in folder.rglob("*") if path.is_file()}
    return HostedRepo(repo_id, files, tags)
