"""The JSON that the tests' Hub answers with: listing, model info, file tree; and who may have what."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from tests.hub.hosted import HostedRepo, is_lfs
from tests.hub.state import HubServer

Parameters = Mapping[str, list[str]]


@dataclass(frozen=True)
class Refusal:
    """An error as the Hub words it: status, message, code of its own, and when to come back."""

    status: int
    message: str
    code: str = ""
    retry_after: str = ""


Answer = tuple[object, str] | Refusal
"""The JSON value and the link to the next page (empty on the last), or an error."""


def access_refusal(hub: HubServer, repo_id: str, token: str, *, wants_files: bool = False) -> Refusal | None:
    """Return why the owner of `token` may not have this; None if they may."""
    if token and token not in hub.tokens:
        return Refusal(401, "Invalid credentials in Authorization header")
    repo = hub.repos.get(repo_id)
    if repo is None or (repo.private and not token):
        return Refusal(404 if token else 401, "Repository not found", "RepoNotFound")
    if wants_files and repo.gated and token not in repo.accepted:
        message = f"Access to model {repo_id} is restricted and you are not in the authorized list."
        return Refusal(403 if token else 401, message, "GatedRepo")
    return None


def _models(hub: HubServer, _token: str, _groups: Mapping[str, str], query: Parameters) -> Answer:
    words = query.get("search", [""])[0].lower()
    tags = set(query.get("filter", []))
    found = [repo for repo in hub.repos.values() if words in repo.repo_id.lower() and tags <= set(repo.tags)]
    found = [repo for repo in found if not repo.private]
    sort = query.get("sort", ["trendingScore"])[0]
    found.sort(key=lambda repo: str(repo.fields.get(sort, 0)).rjust(40), reverse=True)
    start = int(query.get("cursor", ["0"])[0])
    end = start + min(hub.page_size, int(query.get("limit", ["1000"])[0]))
    following = "?" + urlencode({**query, "cursor": str(end)}, doseq=True) if end < len(found) else ""
    wanted = query.get("expand", [])
    return [_listed(repo, wanted) for repo in found[start:end]], following and f"/api/models{following}"


def _listed(repo: HostedRepo, wanted: list[str]) -> dict[str, object]:
    own: dict[str, object] = {
        "tags": [*repo.tags],
        "gated": repo.gated,
        "private": repo.private,
        "sha": repo.commit,
        "siblings": [{"rfilename": path} for path in repo.files],
        **repo.fields,
    }
    kept = own if not wanted else {name: value for name, value in own.items() if name in wanted}
    return {"_id": "0", "id": repo.repo_id, "modelId": repo.repo_id, **kept}


def _info(hub: HubServer, token: str, groups: Mapping[str, str], query: Parameters) -> Answer:
    refusal = access_refusal(hub, groups["repo"], token) or _revision_refusal(hub, groups)
    return refusal or (_listed(hub.repos[groups["repo"]], query.get("expand", [])), "")


def _tree(hub: HubServer, token: str, groups: Mapping[str, str], query: Parameters) -> Answer:
    refusal = access_refusal(hub, groups["repo"], token) or _revision_refusal(hub, groups)
    if refusal:
        return refusal
    repo = hub.repos[groups["repo"]]
    entries = [*_folders(repo), *_files(repo)]
    start = int(query.get("cursor", ["0"])[0])
    end = start + hub.page_size
    path = f"/api/models/{groups['repo']}/tree/{groups['revision']}"
    following = f"{path}?recursive=true&cursor={end}" if end < len(entries) else ""
    return entries[start:end], following


def _folders(repo: HostedRepo) -> list[dict[str, object]]:
    folders = {path.rpartition("/")[0] for path in repo.files if "/" in path}
    return [{"type": "directory", "oid": "0" * 40, "size": 0, "path": path} for path in sorted(folders)]


def _files(repo: HostedRepo) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = []
    for path, file in repo.files.items():
        size = file.size if file.claimed_size is None else file.claimed_size
        entry: dict[str, object] = {"type": "file", "size": size, "path": path}
        if is_lfs(path, file):
            entry["oid"] = "1" * 40
            entry["lfs"] = {"oid": file.sha256, "size": size, "pointerSize": 134}
        else:
            entry["oid"] = file.git_id
        entries.append(entry)
    return entries


def _revision_refusal(hub: HubServer, groups: Mapping[str, str]) -> Refusal | None:
    revision = groups.get("revision") or "main"
    if revision in {"main", hub.repos[groups["repo"]].commit}:
        return None
    return Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")


Route = Callable[[HubServer, str, Mapping[str, str], Parameters], Answer]
API_ROUTES: tuple[tuple[re.Pattern[str], Route], ...] = (
    (re.compile(r"/api/models"), _models),
    (re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/tree/(?P<revision>[^/]+)"), _tree),
    (re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/revision/(?P<revision>[^/]+)"), _info),
    (re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)"), _info),
)
