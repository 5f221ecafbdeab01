"""Which file on the Hub is meant, and which state of it: apart from what fetches it, which needs TLS."""

from __future__ import annotations

from urllib.parse import quote

import msgspec


class RemoteFile(msgspec.Struct, frozen=True):
    """A file on the Hub at one commit."""

    repo_id: str
    commit: str
    path: str

    def url(self, endpoint: str) -> str:
        """Return where to ask for it."""
        return f"{endpoint}/{quote(self.repo_id)}/resolve/{quote(self.commit, safe='')}/{quote(self.path)}"


class Identity(msgspec.Struct, frozen=True):
    """What tells one state of a file from another; empty texts where the server does not say.

    Attributes:
        etag: the Hub's tag of the content (its SHA-256 for large files, git's id for others).
        stored_etag: the tag of the place it was redirected to, which counts in its own way.
        total_bytes: size of the whole file; None if the server does not say.
    """

    etag: str
    stored_etag: str
    total_bytes: int | None
