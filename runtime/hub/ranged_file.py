"""The beginning of a file on the Hub, fetched as far as it is read: what lets header readers work from afar."""

from __future__ import annotations

import msgspec

from runtime.hub.remote_file import Identity, RemoteFile
from runtime.hub.transport import HubTransport
from runtime.library.defects import shown
from runtime.values.errors import DownloadError, HubBusyError

FIRST_BYTES = 1 << 16
MOST_AHEAD_BYTES = 1 << 21
MOST_HEADER_BYTES = 64 << 20
READ_BYTES = 1 << 18


class RangedFile:
    """The first bytes of a file, kept once fetched. For one thread at a time.

    Reading goes forward, as header readers do: what lies between two reads is fetched with them, and each fetch asks
    for more than the one before, up to 2 MB.
    """

    def __init__(self, file: RemoteFile, size_bytes: int) -> None:
        self.file = file
        self.size_bytes = size_bytes
        self._head = bytearray()
        self._identity: Identity | None = None

    def fetch(self, transport: HubTransport, end: int) -> None:
        """Fetch what lies before `end`, and some more.

        Raises:
            UserFacingError: the Hub cannot be reached, is busy or refuses.
            DownloadError: the file is not the one that the Hub listed, or its header has no end.
            HubBusyError: the file was changed meanwhile.
        """
        if end <= len(self._head):
            return
        if end > MOST_HEADER_BYTES:
            raise DownloadError(f"The header of {shown(self.file.path)} has no end.", "Choose another version.")
        first = len(self._head)
        last = min(max(end, first + min(max(2 * first, FIRST_BYTES), MOST_AHEAD_BYTES)), self.size_bytes) - 1
        body = transport.open(self.file, first, last)
        try:
            self._check(body.identity)
            if body.first != first:
                raise HubBusyError("The server sends only whole files.", "Check the proxy and HF_ENDPOINT.")
            while len(self._head) <= last and (data := body.read(READ_BYTES)):
                self._head += data
        finally:
            body.close()
        if len(self._head) < end:
            raise self._shorter()

    def reader(self, transport: HubTransport) -> RangedReader:
        """Return a stream over the file that fetches through `transport`."""
        return RangedReader(self, transport)

    def bytes_at(self, offset: int, count: int) -> bytes:
        """Return fetched bytes."""
        return bytes(self._head[offset : offset + count])

    def _check(self, identity: Identity) -> None:
        if identity.total_bytes not in {None, self.size_bytes}:
            raise self._shorter()
        if self._identity is None:
            self._identity = identity
        elif self._identity != identity:
            raise HubBusyError(f"{shown(self.file.path)} was changed while it was read.", "Try again.")

    def _shorter(self) -> DownloadError:
        return DownloadError(
            f"{shown(self.file.path)} does not have the size that the Hub says.",
            "Try again later, or choose another version of the model.",
        )


class RangedReader(msgspec.Struct):
    """A `RangedFile` as a stream; see `runtime.library.model_files.ModelStream`."""

    ranged: RangedFile
    transport: HubTransport
    position: int = 0

    def seek(self, offset: int, /) -> int:
        """Go to `offset`."""
        self.position = offset
        return offset

    def read(self, count: int, /) -> bytes:
        """Return `count` bytes, fewer at the end of the file."""
        end = min(self.position + count, self.ranged.size_bytes)
        self.ranged.fetch(self.transport, end)
        data = self.ranged.bytes_at(self.position, max(0, end - self.position))
        self.position += len(data)
        return data
