"""The Hub's API through `huggingface_hub`: listings, model info, file trees, as our own frozen values.

The library is held to what a desktop app wants: every request ends in bounded time and fails at once instead of after
half a minute of silent attempts, and nothing about this machine is sent along. `HF_HUB_OFFLINE` and the proxies of the
environment and the system hold as everywhere with this library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import httpx2
import huggingface_hub
from huggingface_hub import HfApi, ModelInfo, constants
from huggingface_hub.errors import HFValidationError
from huggingface_hub.hf_api import RepoFile

from runtime.hub.access import HubAccess
from runtime.hub.failures import Refusal, refusal_error, unreachable
from runtime.hub.listing import HubFile, HubRepo, Repository, repo_of
from runtime.hub.naming import is_repo_id
from runtime.library.defects import shown
from runtime.values.errors import HubBusyError, HubMissingError, HubUnreachableError

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 20.0
MODEL_PATH = re.compile(r"/(?:api/models/)?([^/]+/[^/]+?)(?:/(?:tree|resolve|revision)/.*)?")
MAX_FILES = 20_000

Sort = Literal["downloads", "likes", "last_modified", "trending_score"]
LISTED: list[Any] = [
    "cardData",
    "config",
    "downloads",
    "gated",
    "gguf",
    "lastModified",
    "library_name",
    "likes",
    "pipeline_tag",
    "private",
    "safetensors",
    "siblings",
    "tags",
    "trendingScore",
]


class HubApi:
    """Questions to the Hub. Every call blocks for a round trip or more; any thread may ask."""

    def __init__(self, access: HubAccess) -> None:
        _hold_library()
        self.access = access
        token = access.token.reveal() if access.token else False
        self._api = HfApi(endpoint=access.endpoint, token=token, library_name="first-token", library_version="1")

    def list_models(self, text: str, tags: Sequence[str], sort: Sort, limit: int) -> tuple[HubRepo, ...]:
        """Return repositories whose names contain `text` and that have all `tags`, at most `limit`.

        Raises:
            UserFacingError: the Hub cannot be reached, is busy or refuses; see `failures`.
        """
        with self._translated():
            found = self._api.list_models(search=text or None, filter=list(tags), sort=sort, limit=limit, expand=LISTED)
            return tuple(repo_of(info) for info in found)

    def repository(self, repo_id: str, revision: str | None = None) -> Repository:
        """Return what is in a model's repository, pinned to the commit it is at now.

        Raises:
            UserFacingError: there is no such model, or the Hub cannot be reached, is busy or refuses.
        """
        if not is_repo_id(repo_id):
            raise HubMissingError(
                f"{shown(repo_id)} is no model's name on the Hub.", "Name it as the Hub does: publisher/model."
            )
        with self._translated():
            info: ModelInfo = self._api.model_info(repo_id, revision=revision, expand=[*LISTED, "sha"])
            commit = info.sha
            if not commit:
                raise HubMissingError(f"{shown(repo_id)} is empty.", "Choose another model.")
            files: list[HubFile] = []
            for entry in self._api.list_repo_tree(repo_id, recursive=True, revision=commit):
                if isinstance(entry, RepoFile):
                    files.append(_file_of(entry))
                if len(files) > MAX_FILES:
                    raise HubMissingError(f"{shown(repo_id)} has more files than a model has.", "Choose another model.")
            return Repository(repo=repo_of(info), commit=commit, files=tuple(files))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what the library raises into errors of this product; what the client raised already is one."""
        try:
            yield
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise unreachable(self.access.endpoint, error) from error
        except (HFValidationError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise HubBusyError(
                f"The answer of {shown(self.access.endpoint)} cannot be understood.",
                "Try again later, or check the proxy and HF_ENDPOINT.",
                detail=repr(error),
            ) from error


def close_connections() -> None:
    """Close the library's connections; the next question opens new ones."""
    huggingface_hub.close_session()


def _hold_library() -> None:
    """Have the library use our client, for all of this process; once, for setting it anew cuts off running requests."""
    if not isinstance(huggingface_hub.get_session(), _BoundedClient):
        huggingface_hub.set_client_factory(_BoundedClient)
        constants.HF_HUB_DISABLE_TELEMETRY = True


class _BoundedClient(httpx2.Client):
    """The client that `huggingface_hub` is given: bounded waits, and failures that end its own attempts at once."""

    def __init__(self) -> None:
        super().__init__(follow_redirects=True)

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:  # noqa: ANN401 - as the base class
        timeout = httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        request.extensions = {**request.extensions, "timeout": timeout.as_dict()}
        endpoint = f"{request.url.scheme}://{request.url.netloc.decode()}"
        has_token = "authorization" in request.headers
        if constants.is_offline_mode():
            raise HubUnreachableError("HF_HUB_OFFLINE forbids to ask the Hub.", "Remove it to search and download.")
        try:
            response = super().send(request, **options)
        except (httpx2.RequestError, RuntimeError) as error:  # the latter once `close_connections` was called
            raise unreachable(endpoint, error) from error
        if response.status_code >= 400:
            response.close()
            found = MODEL_PATH.fullmatch(request.url.path)
            headers = {name.lower(): value for name, value in response.headers.items()}
            subject = found[1] if found else ""
            raise refusal_error(Refusal(response.status_code, headers, endpoint, subject, has_token))
        return response


def _file_of(entry: RepoFile) -> HubFile:
    size = entry.size
    if isinstance(size, bool) or not isinstance(size, int) or size < 0 or not isinstance(entry.path, str):
        raise ValueError(f"a file of size {size!r}")
    return HubFile(
        path=entry.path, size_bytes=size, sha256=entry.lfs.sha256 if entry.lfs else None, git_id=entry.blob_id
    )
