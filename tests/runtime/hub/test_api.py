"""Questions to the Hub through the real `huggingface_hub`, and what its refusals become."""

from __future__ import annotations

import time

import pytest
from huggingface_hub import constants

from runtime.hub.access import HubAccess, Token
from runtime.hub.api import HubApi
from runtime.values.errors import (
    HubAccessError,
    HubBusyError,
    HubMissingError,
    HubUnreachableError,
    UserFacingError,
)
from tests.hub.faults import Status
from tests.hub.hosted import HostedFile, HostedRepo
from tests.hub.state import HubServer

PATIENCE_S = 5.0
"""Far less than the library's own attempts would take."""


def small_repo(repo_id: str = "publisher/model-4bit", **options: object) -> HostedRepo:
    """Return a repository with a configuration and weights."""
    files = {"config.json": HostedFile(b"{}"), "model.safetensors": HostedFile(b"weights")}
    repo = HostedRepo(repo_id, files, tags=("mlx", "license:mit"))
    for name, value in options.items():
        setattr(repo, name, value)
    return repo


def test_a_listing_is_filtered_and_counted(hub: HubServer, api: HubApi) -> None:
    hub.host(small_repo(fields={"downloads": 7, "likes": 3, "pipeline_tag": "text-generation"}))
    hub.host(small_repo("publisher/other"), HostedRepo("publisher/model-torch", {}, tags=("pytorch",)))

    (found,) = api.list_models("MODEL", ["mlx"], "downloads", 10)

    assert (found.repo_id, found.license, found.downloads, found.likes) == ("publisher/model-4bit", "mit", 7, 3)
    assert found.files == ("config.json", "model.safetensors")
    assert not found.gated


def test_a_listing_of_many_pages_is_read_to_its_limit(hub: HubServer, api: HubApi) -> None:
    hub.page_size = 4
    hub.host(*(small_repo(f"publisher/model-{number}") for number in range(20)))

    assert len(api.list_models("model", ["mlx"], "likes", 10)) == 10
    assert len(api.list_models("model", ["mlx"], "likes", 100)) == 20


def test_a_repository_is_pinned_to_its_commit(hub: HubServer, api: HubApi) -> None:
    hub.page_size = 2
    repo = small_repo()
    repo.files["deep/er/notes.txt"] = HostedFile("häppy".encode())
    hub.host(repo)

    found = api.repository(repo.repo_id)

    assert found.commit == repo.commit
    files = {file.path: file for file in found.files}
    assert set(files) == {"config.json", "model.safetensors", "deep/er/notes.txt"}
    assert files["model.safetensors"].sha256 == repo.files["model.safetensors"].sha256
    assert files["config.json"].sha256 is None
    assert files["config.json"].git_id == repo.files["config.json"].git_id


@pytest.mark.parametrize("name", ["model", "a/b/c", "../etc/passwd", "a/..", "a b/c", "", "a/b--c", "ä/b", "-a/b"])
def test_what_cannot_be_a_name_is_not_asked_for(name: str, hub: HubServer, api: HubApi) -> None:
    with pytest.raises(HubMissingError):
        api.repository(name)

    assert hub.requests == []


def test_a_model_that_is_not_there(api: HubApi) -> None:
    with pytest.raises(HubMissingError) as caught:
        api.repository("publisher/none")

    assert "publisher/none" in caught.value.what
    assert "token" in caught.value.next_step


def test_a_version_that_is_not_there(hub: HubServer, api: HubApi) -> None:
    hub.host(small_repo())

    with pytest.raises(HubMissingError) as caught:
        api.repository("publisher/model-4bit", "0123456")

    assert "version" in caught.value.what


def test_a_private_model_is_seen_with_the_right_token_only(hub: HubServer, api: HubApi) -> None:
    hub.tokens = {"hf_of_a_friend"}
    hub.host(small_repo(private=True))

    with pytest.raises(HubMissingError):
        api.repository("publisher/model-4bit")
    with pytest.raises(HubAccessError) as caught:
        HubApi(HubAccess(hub.endpoint, Token("hf_of_nobody"))).repository("publisher/model-4bit")
    friend = HubApi(HubAccess(hub.endpoint, Token("hf_of_a_friend")))
    assert friend.repository("publisher/model-4bit").repo.private

    assert "token" in caught.value.what


@pytest.mark.parametrize(
    ("status", "wait", "expected_s"),
    [(429, "17", 17.0), (503, None, None), (500, "999999", 3600.0), (429, "Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
def test_a_busy_hub_is_not_asked_again_and_again(
    status: int, wait: str | None, expected_s: float | None, hub: HubServer, api: HubApi
) -> None:
    hub.plan(Status(status, wait), times=100)
    started = time.monotonic()

    with pytest.raises(HubBusyError) as caught:
        api.list_models("model", [], "likes", 10)

    assert caught.value.retry_after_s == expected_s
    assert time.monotonic() - started < PATIENCE_S
    assert len(hub.requests) == 1


def test_offline_says_so_at_once() -> None:
    started = time.monotonic()

    with pytest.raises(HubUnreachableError) as caught:
        HubApi(HubAccess("http://127.0.0.1:1")).list_models("model", [], "likes", 10)

    assert "Installed models work" in caught.value.next_step
    assert time.monotonic() - started < PATIENCE_S


@pytest.mark.parametrize(
    "fields", [{"downloads": "many"}, {"gguf": [1]}, {"safetensors": {"a": 1}}, {"lastModified": 1}]
)
def test_an_answer_out_of_shape_is_no_crash(fields: dict[str, object], hub: HubServer, api: HubApi) -> None:
    hub.host(small_repo(fields=fields))
    problem: UserFacingError | None = None

    try:
        assert api.list_models("", [], "likes", 10)[0].downloads == 0
    except UserFacingError as error:
        problem = error

    assert problem is None or isinstance(problem, HubBusyError)


def test_a_machine_that_is_told_to_stay_offline_does(
    hub: HubServer, api: HubApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(HubUnreachableError) as caught:
        api.list_models("model", [], "likes", 10)

    assert "HF_HUB_OFFLINE" in caught.value.what
    assert hub.requests == []


def test_nothing_about_this_machine_is_sent(hub: HubServer, api: HubApi) -> None:
    hub.host(small_repo())

    api.repository("publisher/model-4bit")

    assert {request.authorization for request in hub.requests} == {""}
    assert all("agent/" not in request.user_agent for request in hub.requests)
    assert all(request.target.startswith("/api/models/") for request in hub.requests)
