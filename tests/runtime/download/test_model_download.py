"""A download with everything that can go wrong on the way: it ends in the right files, or says what is wrong."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from runtime.download.model_download import ModelDownload
from runtime.download.part_file import WrongContentError
from runtime.download.staging import Staging, partial_downloads
from runtime.download.status import DownloadState
from runtime.hub.access import HubAccess, Token
from runtime.hub.transport import HubTransport
from runtime.library.installed import is_mlx_folder
from runtime.library.reader import read_spec
from runtime.values.errors import (
    DownloadError,
    HubAccessError,
    HubBusyError,
    HubMissingError,
    HubUnreachableError,
    ModelBrokenError,
    UserFacingError,
)
from tests.hub.faults import (
    ClaimLength,
    CutAfter,
    Fault,
    Flip,
    IgnoreRange,
    StallAfter,
    Status,
    Throttle,
    WrongRange,
)
from tests.hub.hosted import HostedFile, HostedRepo
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.models.split_models import write_split_gguf
from tests.runtime.download.scene import (
    MLX_REPO,
    WEIGHTS,
    Scene,
    fetched,
    has_arrived,
    partial,
    plan_for,
    stopped_after,
)


def is_clean(models: Path) -> bool:
    """Tell whether no model and nothing that looks like one is there."""
    return not any(is_mlx_folder(folder) for folder in models.rglob("*") if ".downloads" not in folder.parts)


def test_a_model_arrives_whole_and_nothing_else(scene: Scene, mlx_source: Path) -> None:
    plan = plan_for(scene.api)
    download = ModelDownload(plan, scene.setup)

    path = download.run()

    assert path == scene.setup.models / MLX_REPO
    assert has_arrived(scene.repo, plan, scene.setup.models)
    assert read_spec(path).parameters == read_spec(mlx_source).parameters
    assert partial_downloads(scene.setup.models) == ()
    assert download.status().state is DownloadState.DONE
    assert download.status().done_bytes == plan.total_bytes
    assert not any("evil" in one.target or ".bin" in one.target for one in scene.hub.requests)


@pytest.mark.parametrize("parts", [1, 3])
def test_a_gguf_model_arrives_in_the_form_asked_for(parts: int, scene: Scene, tmp_path: Path) -> None:
    paths = write_split_gguf(tmp_path, "m-Q8_0", parts, GgufRecipe(weights="Q8_0"))
    files = {f"Q8_0/{path.name}": HostedFile(path.read_bytes()) for path in paths}
    repo = HostedRepo("p/m-GGUF", {**files, "m-Q4_0.gguf": HostedFile(b"other")}, ("gguf",))
    scene.hub.host(repo)
    plan = plan_for(scene.api, "p/m-GGUF", "int8")

    path = ModelDownload(plan, scene.setup).run()

    assert has_arrived(repo, plan, scene.setup.models)
    assert read_spec(path).quantization.name == "Q8_0"
    assert partial_downloads(scene.setup.models) == ()


def test_two_forms_of_one_repository_lie_side_by_side(scene: Scene, tmp_path: Path) -> None:
    names = {"m-Q8_0.gguf": "Q8_0", "m-F16.gguf": "F16"}
    for name in names:
        write_random_gguf(tmp_path / name, GgufRecipe(weights="Q8_0" if "Q8" in name else "F16"))
    scene.hub.host(HostedRepo("p/m", {name: HostedFile((tmp_path / name).read_bytes()) for name in names}, ("gguf",)))

    for wanted in ("q8_0", "fp16"):
        ModelDownload(plan_for(scene.api, "p/m", wanted), scene.setup).run()

    assert {path.name for path in (scene.setup.models / "p" / "m").iterdir()} == set(names)


def test_odd_names_arrive(scene: Scene, tmp_path: Path) -> None:
    write_random_gguf(tmp_path / "model.gguf", GgufRecipe(weights="Q8_0"))
    name = "größe #1 & 100% 'ok'? [x]/模型;v=1+2 Q8_0.gguf"
    scene.hub.host(HostedRepo("p/odd", {name: HostedFile((tmp_path / "model.gguf").read_bytes())}, ("gguf",)))

    path = ModelDownload(plan_for(scene.api, "p/odd"), scene.setup).run()

    assert path.name == "模型;v=1+2 Q8_0.gguf"
    assert path.read_bytes() == (tmp_path / "model.gguf").read_bytes()


PASSING = [
    (CutAfter(0), 1),
    (CutAfter(1), 1),
    (CutAfter(100_000), 3),
    (StallAfter(50_000), 2),
    (Status(429, "0"), 2),
    (Status(500), 2),
    (Status(503, "0"), 2),
    (Status(403), 1),
    (IgnoreRange(), 5),
    (WrongRange(7), 2),
    (Throttle(2_000_000), 1),
    (Flip(70_000), 1),
]


@pytest.mark.parametrize(("fault", "times"), PASSING)
def test_a_fault_that_passes_costs_an_attempt_and_no_more(fault: Fault, times: int, scene: Scene) -> None:
    plan = plan_for(scene.api)
    scene.hub.plan(fault, WEIGHTS, part="cdn", times=times)
    setup = scene.impatient_setup if isinstance(fault, StallAfter) else scene.setup

    ModelDownload(plan, setup).run()

    assert has_arrived(scene.repo, plan, scene.setup.models)


def test_after_a_cut_only_the_rest_is_fetched(scene: Scene) -> None:
    plan = plan_for(scene.api)
    scene.hub.plan(CutAfter(100_000), WEIGHTS, part="cdn", times=2)

    ModelDownload(plan, scene.setup).run()

    assert fetched(scene.hub, WEIGHTS) == ["bytes=0-", "bytes=100000-", "bytes=200000-"]


def test_a_server_that_forgets_ranges_midway_is_begun_anew(scene: Scene) -> None:
    plan = plan_for(scene.api)
    scene.hub.plan(CutAfter(100_000), WEIGHTS, part="cdn")
    scene.hub.plan(IgnoreRange(), WEIGHTS, part="cdn")

    ModelDownload(plan, scene.setup).run()

    assert has_arrived(scene.repo, plan, scene.setup.models)


LASTING: list[tuple[str, Fault, type[UserFacingError]]] = [
    ("cdn", CutAfter(0), HubUnreachableError),
    ("cdn", StallAfter(0), HubUnreachableError),
    ("cdn", Status(500), HubBusyError),
    ("hub", Status(429, "0"), HubBusyError),
    ("hub", Status(404, error_code="EntryNotFound"), HubMissingError),
    ("hub", Status(401, error_code="GatedRepo"), HubAccessError),
    ("hub", Status(403, error_code="GatedRepo"), HubAccessError),
    ("cdn", Status(416), DownloadError),
    ("cdn", Flip(1000), WrongContentError),
    ("cdn", ClaimLength(5), DownloadError),
    ("cdn", ClaimLength(-5), DownloadError),
    ("cdn", WrongRange(7), HubBusyError),
]


@pytest.mark.parametrize(("part", "fault", "kind"), LASTING)
def test_a_fault_that_lasts_is_a_clear_end_and_passes_with_a_retry(
    part: str, fault: Fault, kind: type[UserFacingError], scene: Scene
) -> None:
    plan = plan_for(scene.api)
    scene.hub.plan(fault, WEIGHTS, part=part, times=1000)
    setup = scene.impatient_setup if isinstance(fault, StallAfter) else scene.setup

    with pytest.raises(kind) as caught:
        ModelDownload(plan, setup).run()

    assert caught.value.next_step
    assert is_clean(scene.setup.models)
    scene.hub.heal()
    ModelDownload(plan, scene.setup).run()
    assert has_arrived(scene.repo, plan, scene.setup.models)


def test_progress_begins_the_count_of_failures_anew(scene: Scene) -> None:
    """Far more cuts than the policy bears in a row, but bytes came between them."""
    plan = plan_for(scene.api)
    scene.hub.plan(CutAfter(10_000), WEIGHTS, part="cdn", times=15)

    ModelDownload(plan, scene.setup).run()

    assert has_arrived(scene.repo, plan, scene.setup.models)


def test_a_file_that_changes_between_two_parts_is_never_mixed(scene: Scene) -> None:
    plan = plan_for(scene.api)
    right = scene.repo.files[WEIGHTS]
    other = HostedFile(right.read(0, 10**9)[::-1])
    scene.hub.plan(CutAfter(100_000, lambda: scene.repo.files.update({WEIGHTS: other})), WEIGHTS, part="cdn")

    with pytest.raises(DownloadError) as caught:
        ModelDownload(plan, scene.setup).run()

    assert "something else" in caught.value.what
    assert is_clean(scene.setup.models)
    scene.repo.files[WEIGHTS] = right
    ModelDownload(plan, scene.setup).run()
    assert has_arrived(scene.repo, plan, scene.setup.models)
    assert fetched(scene.hub, WEIGHTS)[-1] == "bytes=100000-"


def test_a_model_that_disappears_midway_is_said_to_be_gone_and_goes_on_if_it_comes_back(scene: Scene) -> None:
    plan = plan_for(scene.api)
    scene.hub.plan(CutAfter(100_000, scene.hub.repos.clear), WEIGHTS, part="cdn")

    with pytest.raises(HubMissingError):
        ModelDownload(plan, scene.setup).run()

    assert is_clean(scene.setup.models)
    scene.hub.host(scene.repo)
    ModelDownload(plan, scene.setup).run()
    assert has_arrived(scene.repo, plan, scene.setup.models)
    assert fetched(scene.hub, WEIGHTS)[-1] == "bytes=100000-"


def test_a_server_that_disappears_midway_is_waited_for_and_then_given_up(scene: Scene) -> None:
    plan = plan_for(scene.api)
    path = f"/{MLX_REPO}/resolve/{plan.commit}/{WEIGHTS}"
    gone = {path: "http://127.0.0.1:1/gone"}
    scene.hub.plan(CutAfter(100_000, lambda: scene.hub.redirects.update(gone)), WEIGHTS, part="cdn")

    with pytest.raises(HubUnreachableError):
        ModelDownload(plan, scene.setup).run()

    asked = [one for one in scene.hub.requests if one.target == path]
    assert len(asked) == scene.setup.policy.most_failures
    scene.hub.redirects.clear()
    ModelDownload(plan, scene.setup).run()
    assert has_arrived(scene.repo, plan, scene.setup.models)
    assert fetched(scene.hub, WEIGHTS)[-1] == "bytes=100000-"


def test_a_login_page_in_between_costs_nothing_that_is_here(scene: Scene) -> None:
    plan, part = partial(scene)
    page = HostedFile(b"<html>Please log in</html>")
    scene.hub.host(HostedRepo("login/page", {"index.html": page}))
    path = f"/{MLX_REPO}/resolve/{plan.commit}/{WEIGHTS}"
    scene.hub.redirects[path] = f"{scene.hub.endpoint}/login/page/resolve/main/index.html"

    with pytest.raises(DownloadError):
        ModelDownload(plan, scene.setup).run()

    assert part.stat().st_size == 100_000
    scene.hub.redirects.clear()
    ModelDownload(plan, scene.setup).run()
    assert has_arrived(scene.repo, plan, scene.setup.models)


def test_a_hub_that_lists_a_wrong_hash_or_size_is_noticed(scene: Scene) -> None:
    content = scene.repo.files[WEIGHTS].content
    for lie in (HostedFile(content, claimed_sha256="0" * 64), HostedFile(content, claimed_size=1_000_000)):
        scene.repo.files[WEIGHTS] = lie

        with pytest.raises(DownloadError):
            ModelDownload(plan_for(scene.api), scene.setup).run()

        assert is_clean(scene.setup.models)


def test_a_small_file_is_checked_by_its_git_id(scene: Scene) -> None:
    plan = plan_for(scene.api)
    scene.hub.plan(Flip(3), "config.json", part="hub", times=1000)

    with pytest.raises(WrongContentError):
        ModelDownload(plan, scene.setup).run()

    assert is_clean(scene.setup.models)


def test_a_gated_model_arrives_with_the_right_token(scene: Scene) -> None:
    plan = plan_for(scene.api)
    scene.hub.tokens = {"hf_of_a_friend"}
    scene.repo.gated, scene.repo.accepted = "manual", frozenset(scene.hub.tokens)
    friend = HubAccess(scene.hub.endpoint, Token("hf_of_a_friend"))

    with pytest.raises(HubAccessError):
        ModelDownload(plan, scene.setup).run()
    ModelDownload(plan, msgspec.structs.replace(scene.setup, new_transport=lambda: HubTransport(friend))).run()

    assert has_arrived(scene.repo, plan, scene.setup.models)


def test_too_little_space_is_said_before_anything_is_fetched(scene: Scene) -> None:
    plan = plan_for(scene.api)
    asked = len(scene.hub.requests)
    nearly_full = msgspec.structs.replace(scene.setup, free=lambda _: plan.total_bytes)

    with pytest.raises(DownloadError) as caught:
        ModelDownload(plan, nearly_full).run()

    assert "space" in caught.value.what
    assert len(scene.hub.requests) == asked


def test_a_stopped_download_goes_on_where_it_was(scene: Scene) -> None:
    plan = plan_for(scene.api)
    scene.hub.plan(StallAfter(123_456), WEIGHTS, part="cdn")
    patient = msgspec.structs.replace(scene.setup, new_transport=lambda: HubTransport(HubAccess(scene.hub.endpoint)))
    first = ModelDownload(plan, patient)

    small = plan.total_bytes - scene.repo.files[WEIGHTS].size
    stopped_after(first, lambda: first.status().done_bytes == small + 123_456)
    second = ModelDownload(plan, scene.setup)
    second.run()

    assert fetched(scene.hub, WEIGHTS)[-1] == "bytes=123456-"
    assert has_arrived(scene.repo, plan, scene.setup.models)
    assert second.status().done_bytes == plan.total_bytes


def test_waiting_for_the_next_attempt_can_be_stopped(scene: Scene) -> None:
    plan = plan_for(scene.api)
    scene.hub.plan(Status(503, "3000"), WEIGHTS, times=10)
    download = ModelDownload(plan, scene.setup)

    stopped_after(download, lambda: download.status().state is DownloadState.WAITING)

    status = download.status()
    assert status.error is not None
    assert status.retry_in_s is not None
    assert status.retry_in_s > 2000


def test_a_stall_shows_as_a_stall(scene: Scene) -> None:
    plan = plan_for(scene.api)
    scene.hub.plan(StallAfter(50_000), WEIGHTS, part="cdn")
    fast = msgspec.structs.replace(
        scene.setup,
        new_transport=lambda: HubTransport(HubAccess(scene.hub.endpoint)),
        clock=lambda: 50 * time.monotonic(),
    )
    download = ModelDownload(plan, fast)

    stopped_after(download, lambda: download.status().is_stalled and download.status().bytes_per_second == 0.0)

    assert download.status().seconds_left is None


def test_rubbish_in_a_partial_file_is_found_and_fetched_again(scene: Scene) -> None:
    plan, part = partial(scene)
    part.write_bytes(bytes(100_000))

    ModelDownload(plan, scene.setup).run()

    assert has_arrived(scene.repo, plan, scene.setup.models)


def test_a_partial_file_that_is_too_long_is_begun_anew(scene: Scene) -> None:
    plan, part = partial(scene)
    part.write_bytes(bytes(plan.total_bytes * 2))

    ModelDownload(plan, scene.setup).run()

    assert has_arrived(scene.repo, plan, scene.setup.models)


def test_a_new_version_of_the_model_drops_what_was_there_of_the_old(scene: Scene) -> None:
    partial(scene)
    scene.repo.files["README.md"] = HostedFile(b"a new commit")
    plan = plan_for(scene.api)

    ModelDownload(plan, scene.setup).run()

    assert has_arrived(scene.repo, plan, scene.setup.models)
    assert fetched(scene.hub, WEIGHTS)[-1] == "bytes=0-"


def test_a_link_in_place_of_a_partial_file_is_not_followed(scene: Scene, tmp_path: Path) -> None:
    plan, part = partial(scene)
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    part.unlink()
    part.symlink_to(victim)

    with pytest.raises(DownloadError):
        ModelDownload(plan, scene.setup).run()

    assert victim.read_bytes() == b"precious"


def test_what_is_already_there_is_never_overwritten(scene: Scene, tmp_path: Path) -> None:
    plan = plan_for(scene.api)
    target = scene.setup.models / MLX_REPO
    target.parent.mkdir(parents=True)
    target.symlink_to(tmp_path / "nowhere")

    with pytest.raises(DownloadError) as caught:
        ModelDownload(plan, scene.setup).run()

    assert "already there" in caught.value.what
    assert target.is_symlink()


def test_two_cannot_fetch_the_same_at_once(scene: Scene) -> None:
    plan = plan_for(scene.api)

    with Staging(scene.setup.models, plan).held(), pytest.raises(DownloadError) as caught:
        ModelDownload(plan, scene.setup).run()

    assert "another" in caught.value.what


def test_a_model_whose_headers_make_no_sense_gets_no_place(scene: Scene) -> None:
    scene.repo.files[WEIGHTS] = HostedFile(scene.repo.files[WEIGHTS].read(0, 10**9)[:-1000])

    with pytest.raises(ModelBrokenError):
        ModelDownload(plan_for(scene.api), scene.setup).run()

    assert is_clean(scene.setup.models)


@pytest.mark.parametrize("moved", [0, 1, 2, 3])
def test_moving_into_place_can_be_interrupted_anywhere(moved: int, scene: Scene, tmp_path: Path) -> None:
    paths = write_split_gguf(tmp_path, "m-F32", 3)
    repo = HostedRepo("p/m", {path.name: HostedFile(path.read_bytes()) for path in paths}, ("gguf",))
    scene.hub.host(repo)
    plan = plan_for(scene.api, "p/m")
    staging = Staging(scene.setup.models, plan)
    with staging.held():
        for file in plan.files:
            staging.place(file).parent.mkdir(parents=True, exist_ok=True)
            staging.place(file).write_bytes((tmp_path / file.path).read_bytes())
        marker = partial_downloads(scene.setup.models)[0] / "installing"
        marker.touch()
        for file in list(reversed(plan.files))[:moved]:
            place = scene.setup.models / plan.repo_id / file.target
            place.parent.mkdir(parents=True, exist_ok=True)
            staging.place(file).rename(place)
    asked = len(scene.hub.requests)

    ModelDownload(plan, scene.setup).run()

    assert has_arrived(repo, plan, scene.setup.models)
    assert len(scene.hub.requests) == asked


def test_what_was_installed_but_not_written_down_is_done(scene: Scene) -> None:
    plan = plan_for(scene.api)
    ModelDownload(plan, scene.setup).run()
    asked = len(scene.hub.requests)

    again = ModelDownload(plan, scene.setup)
    again.run()

    assert again.status().state is DownloadState.DONE
    assert len(scene.hub.requests) == asked
    assert partial_downloads(scene.setup.models) == ()
