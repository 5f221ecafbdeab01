"""What a model on the Hub is, before it is downloaded: the headers of its weights and its small files, nothing else.

The readers of `runtime.library` do the reading. Settings are fetched into a scratch folder; weights lie there as empty
files, and whatever a reader wants of them is fetched from the Hub in parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from typing import Self

import msgspec

from runtime.hub.grouping import HubVariant
from runtime.hub.listing import Repository
from runtime.hub.ranged_file import FIRST_BYTES, RangedFile
from runtime.hub.remote_file import RemoteFile
from runtime.hub.selection import VOCABULARIES, NeededFile, is_weights, needed_files
from runtime.hub.transport import HubTransport
from runtime.library.defects import broken
from runtime.library.gguf_spec import read_gguf_spec
from runtime.library.mlx_spec import read_mlx_spec
from runtime.library.model_files import ModelStream
from runtime.library.spec import ModelSpec
from runtime.values.model import ModelFormat

CONNECTIONS = 8
MOST_SETTINGS_BYTES = 4_000_000
"""A larger file beside the weights is left out: no settings are that long."""


def read_remote_spec(
    new_transport: Callable[[], HubTransport], repository: Repository, variant: HubVariant
) -> ModelSpec:
    """Return what `variant` is, as `runtime.library.reader.read_spec` would once it is downloaded.

    Its `path` is where it will lie below the models folder. Takes a few round trips and moves little more than headers.

    Args:
        new_transport: makes connections for one thread.
        repository: the repository, with its files.
        variant: one form of the model in it.

    Raises:
        UserFacingError: the Hub cannot be reached, is busy or refuses; or the model is broken or cannot run here.
    """
    needed = needed_files(repository, variant)
    name = repository.repo.repo_id.rpartition("/")[2]
    with TemporaryDirectory() as scratch, _Connections(new_transport) as connections:
        folder = Path(scratch) / name
        headers = _Headers(folder, repository, needed, connections)
        headers.prefetch()
        try:
            spec = _read(folder, needed, variant.format, headers.open_file)
        except (OSError, ValueError) as error:
            raise broken(folder, "it cannot be read", str(error)) from error
    return msgspec.structs.replace(spec, path=Path(repository.repo.repo_id) / spec.path.relative_to(folder))


def _read(
    folder: Path,
    needed: Sequence[NeededFile],
    model_format: ModelFormat,
    open_file: Callable[[Path], AbstractContextManager[tuple[ModelStream, int]]],
) -> ModelSpec:
    if model_format is ModelFormat.GGUF:
        return read_gguf_spec(folder / needed[0].target, is_demo=False, open_file=open_file)
    return read_mlx_spec(folder, is_demo=False, open_file=open_file)


class _Connections:
    """As many transports as threads ever needed at once."""

    def __init__(self, new_transport: Callable[[], HubTransport]) -> None:
        self._new = new_transport
        self._idle: SimpleQueue[HubTransport] = SimpleQueue()
        self._all: list[HubTransport] = []

    @contextmanager
    def one(self) -> Iterator[HubTransport]:
        """Lend one."""
        try:
            transport = self._idle.get_nowait()
        except Empty:
            transport = self._new()
            self._all.append(transport)
        try:
            yield transport
        finally:
            self._idle.put(transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for transport in self._all:
            transport.close()


class _Headers:
    """The model's files as far as they have been fetched: settings on disk, beginnings of weights in memory."""

    def __init__(
        self, folder: Path, repository: Repository, needed: Sequence[NeededFile], connections: _Connections
    ) -> None:
        self._folder = folder
        self._needed = needed
        self._connections = connections
        self._ranged = {
            folder / one.target: RangedFile(
                RemoteFile(repository.repo.repo_id, repository.commit, one.remote.path), one.remote.size_bytes
            )
            for one in needed
        }

    def prefetch(self) -> None:
        """Fetch the settings and the beginning of every file with weights, several at a time."""
        for path in self._ranged:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for _ in pool.map(self._fetch, self._needed):
                pass

    @contextmanager
    def open_file(self, path: Path) -> Iterator[tuple[ModelStream, int]]:
        """Open a file with weights; see `runtime.library.model_files.open_model_file`."""
        ranged = self._ranged[path]
        with self._connections.one() as transport:
            yield ranged.reader(transport), ranged.size_bytes

    def _fetch(self, one: NeededFile) -> None:
        """Fetch what is wanted of one file: of vocabularies nothing, for readers only ask whether they are there."""
        path = self._folder / one.target
        ranged = self._ranged[path]
        size = ranged.size_bytes
        if is_weights(one.target):
            with self._connections.one() as transport:
                ranged.fetch(transport, min(size, FIRST_BYTES))
        elif path.name in VOCABULARIES:
            return
        elif size > MOST_SETTINGS_BYTES:
            path.unlink()
        else:
            with self._connections.one() as transport:
                ranged.fetch(transport, size)
            path.write_bytes(ranged.bytes_at(0, size))
