"""Plans outlive the process on disk: what comes back is checked as if a stranger had written it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.download.plan import DownloadPlan, PlannedFile, plan_download
from runtime.download.queue_file import KeptDownload, read_queue, write_queue
from runtime.download.staging import read_plan
from runtime.download.status import DownloadState
from runtime.hub.grouping import HubVariant
from runtime.hub.listing import HubFile, HubRepo, Repository
from runtime.hub.naming import UNKNOWN
from runtime.values.errors import DownloadError, ErrorReport
from runtime.values.model import ModelFormat

FILE = PlannedFile(path="m.gguf", target="m.gguf", size_bytes=5, sha256="0" * 64, git_id="0" * 40)
PLAN = DownloadPlan(repo_id="p/m", commit="0" * 40, format=ModelFormat.GGUF, title="Q8_0", files=(FILE,))

NAMES: list[object] = ["../m", "/m", "a/../../m", "", "C:m", "a\\m", 5]
SIZES: list[object] = [-1, 2**60, 1.5, "5"]
HASHES: list[object] = ["", "0" * 63, "g" * 64, "../x"]


def damaged_files(**values: object) -> dict[str, object]:
    """Return the part of a plan that lists one file with other values."""
    return {"files": [msgspec.structs.asdict(FILE) | values]}


DAMAGES: list[dict[str, object]] = [
    {"repo_id": "../../etc"},
    {"repo_id": "p/.."},
    {"repo_id": "m"},
    {"commit": "main"},
    {"commit": "../" * 14},
    {"files": []},
    {"files": [FILE, FILE]},
    *(damaged_files(target=name) for name in NAMES),
    *(damaged_files(size_bytes=size) for size in SIZES),
    *(damaged_files(sha256=value, git_id="") for value in HASHES),
    damaged_files(sha256=None, git_id="../x"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_plan_is_no_plan(damage: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(msgspec.json.encode(msgspec.to_builtins(PLAN) | damage))

    assert read_plan(tmp_path) is None


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(msgspec.json.encode(PLAN))

    assert read_plan(tmp_path) == PLAN
    assert read_plan(tmp_path / "none") is None


def test_keys_tell_forms_apart_and_are_names_of_files() -> None:
    other = msgspec.structs.replace(PLAN, title="Q4_K_M")
    longer = msgspec.structs.replace(PLAN, repo_id=f"p{'x' * 90}/m{'y' * 90}")

    assert PLAN.key != other.key
    assert PLAN.key == msgspec.structs.replace(PLAN, commit="1" * 40).key
    assert len(longer.key) < 120
    assert "/" not in PLAN.key


def test_a_file_without_a_usable_hash_is_not_planned() -> None:
    file = HubFile(path="m-Q8_0.gguf", size_bytes=5, sha256=None, git_id="short")
    repository = Repository(HubRepo(repo_id="p/m"), "0" * 40, (file,))
    variant = HubVariant(repo_id="p/m", format=ModelFormat.GGUF, scheme=UNKNOWN, files=("m-Q8_0.gguf",))

    with pytest.raises(DownloadError) as caught:
        plan_download(repository, variant)

    assert "check" in caught.value.what


def test_the_queue_comes_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "queue.json"
    kept = (
        KeptDownload(PLAN, DownloadState.QUEUED),
        KeptDownload(PLAN, DownloadState.FAILED, ErrorReport("download", "what", "next")),
    )

    assert read_queue(file) == ()
    write_queue(file, kept)
    assert read_queue(file) == kept
    assert [path.name for path in file.parent.iterdir()] == ["queue.json"]


@given(content=st.binary(max_size=200) | st.just(b'{"version":2,"downloads":[]}'))
def test_a_queue_that_cannot_be_understood_is_put_aside(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("queue") / "queue.json"
    file.write_bytes(content)

    assert read_queue(file) == ()
    assert file.with_name("queue.json.broken").read_bytes() == content
    assert not file.exists()
