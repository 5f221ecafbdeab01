"""Several downloads at once and in turn; paused, resumed, removed; the same after closing the app."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from runtime.download.model_download import DownloadSetup
from runtime.download.plan import DownloadPlan
from runtime.download.queue import DownloadQueue
from runtime.download.staging import Staging, partial_downloads
from runtime.download.status import DownloadState, DownloadStatus
from runtime.hub.access import HubAccess
from runtime.hub.transport import HubTransport, Timeouts
from runtime.values.errors import DownloadError
from tests.hub.faults import StallAfter, Status
from tests.hub.hosted import HostedRepo
from tests.hub.silent import full_server
from tests.hub.state import HubServer
from tests.runtime.download.scene import MLX_REPO, WEIGHTS, Scene, has_arrived, plan_for

PATIENCE_S = 30.0


@pytest.fixture
def patient(hub: HubServer, setup: DownloadSetup) -> DownloadSetup:
    """Return a setup that waits long for a server that stalls."""
    endpoint = hub.endpoint
    return msgspec.structs.replace(setup, new_transport=lambda: HubTransport(HubAccess(endpoint)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the queue is kept."""
    return tmp_path / "data" / "downloads.json"


@pytest.fixture
def queue(file: Path, patient: DownloadSetup, scene: Scene) -> Iterator[DownloadQueue]:
    """Yield a queue that has begun."""
    running = DownloadQueue(file, patient)
    running.start()
    yield running
    scene.hub.heal()
    running.close()


@pytest.fixture
def plans(scene: Scene) -> list[DownloadPlan]:
    """Return plans for five models of the same files."""
    names = [f"publisher/model-{number}-fp32" for number in range(5)]
    scene.hub.host(*(HostedRepo(name, dict(scene.repo.files), ("mlx",)) for name in names))
    return [plan_for(scene.api, name) for name in names]


def until(queue: DownloadQueue, reached: Callable[[list[DownloadStatus]], bool]) -> list[DownloadStatus]:
    """Wait until the queue is as it should be, and return how it is; fail if that takes for ever."""
    deadline = time.monotonic() + PATIENCE_S
    while not reached(now := list(queue.statuses())):
        assert time.monotonic() < deadline, [(one.state, one.error) for one in now]
        time.sleep(0.005)
    return now


def states(now: list[DownloadStatus]) -> list[DownloadState]:
    """Return the states."""
    return [one.state for one in now]


def all_are(state: DownloadState) -> Callable[[list[DownloadStatus]], bool]:
    """Return a condition: everything is in that state."""
    return lambda now: set(states(now)) == {state}


def test_all_arrive_some_at_once(queue: DownloadQueue, plans: list[DownloadPlan], scene: Scene) -> None:
    most = 0
    for plan in plans:
        queue.add(plan)

    def done(now: list[DownloadStatus]) -> bool:
        nonlocal most
        most = max(most, sum(one.state.is_active for one in now))
        return all_are(DownloadState.DONE)(now)

    until(queue, done)

    assert most == 2
    assert all(has_arrived(scene.repo, plan, scene.setup.models) for plan in plans)
    queue.clear_done()
    assert queue.statuses() == ()


def test_the_order_is_that_of_asking(queue: DownloadQueue, plans: list[DownloadPlan], scene: Scene) -> None:
    scene.hub.plan(StallAfter(10), WEIGHTS, part="cdn", times=2)
    for plan in plans:
        queue.add(plan)

    now = until(queue, lambda now: sum(one.state is DownloadState.DOWNLOADING for one in now) == 2)

    assert [one.plan for one in now] == plans
    assert states(now)[2:] == [DownloadState.QUEUED] * 3


def test_a_paused_download_lets_the_next_one_begin_and_goes_on_later(
    queue: DownloadQueue, plans: list[DownloadPlan], scene: Scene
) -> None:
    scene.hub.plan(StallAfter(100_000), WEIGHTS, part="cdn", times=2)
    keys = [queue.add(plan) for plan in plans[:3]]
    until(queue, lambda now: all(one.done_bytes > 100_000 for one in now[:2]))

    queue.pause(keys[0])
    now = until(queue, lambda now: states(now)[0] is DownloadState.PAUSED and states(now)[2] is DownloadState.DONE)

    assert now[0].done_bytes > 100_000
    scene.hub.heal()
    queue.resume(keys[0])
    until(queue, all_are(DownloadState.DONE))
    ranges = [one.byte_range for one in scene.hub.requests if one.part == "cdn" and "model-0" in one.target]
    assert ranges == ["bytes=0-", "bytes=100000-"]


def test_what_waits_can_be_paused_and_what_is_paused_stays_so(
    queue: DownloadQueue, plans: list[DownloadPlan], scene: Scene
) -> None:
    scene.hub.plan(StallAfter(10), WEIGHTS, part="cdn", times=2)
    keys = [queue.add(plan) for plan in plans[:3]]
    queue.pause(keys[2])

    scene.hub.heal()
    now = until(queue, lambda now: states(now)[:2] == [DownloadState.DONE] * 2)

    assert now[2].state is DownloadState.PAUSED


def test_closing_keeps_the_queue(file: Path, patient: DownloadSetup, plans: list[DownloadPlan], scene: Scene) -> None:
    scene.hub.plan(StallAfter(100_000), WEIGHTS, part="cdn", times=2)
    first = DownloadQueue(file, patient)
    first.start()
    keys = [first.add(plan) for plan in plans]
    first.pause(keys[4])
    until(first, lambda now: all(one.done_bytes > 100_000 for one in now[:2]))
    first.close()
    assert len(partial_downloads(patient.models)) == 2
    scene.hub.heal()

    second = DownloadQueue(file, patient)
    second.start()
    now = until(second, lambda now: states(now)[:4] == [DownloadState.DONE] * 4)
    second.close()

    assert [one.plan for one in now] == plans
    assert now[4].state is DownloadState.PAUSED
    assert all(has_arrived(scene.repo, plan, patient.models) for plan in plans[:4])
    third = DownloadQueue(file, patient)
    third.start()
    assert [one.plan for one in third.statuses()] == plans[4:]
    third.close()


def test_a_failure_is_kept_with_its_reason_until_retried(
    file: Path, setup: DownloadSetup, plans: list[DownloadPlan], scene: Scene
) -> None:
    scene.hub.plan(Status(401, error_code="GatedRepo"), WEIGHTS, times=1000)
    first = DownloadQueue(file, setup)
    first.start()
    key = first.add(plans[0])
    until(first, all_are(DownloadState.FAILED))
    first.close()

    second = DownloadQueue(file, setup)
    second.start()
    (status,) = second.statuses()
    assert status.state is DownloadState.FAILED
    assert status.error is not None
    assert status.error.code == "hub-access"
    scene.hub.heal()
    second.resume(key)
    until(second, all_are(DownloadState.DONE))
    second.close()


def test_removing_stops_and_frees_all_that_is_here(
    queue: DownloadQueue, plans: list[DownloadPlan], scene: Scene
) -> None:
    scene.hub.plan(StallAfter(100_000), WEIGHTS, part="cdn")
    key = queue.add(plans[0])
    until(queue, lambda now: now[0].done_bytes > 100_000)

    freed = queue.remove(key)

    assert freed > 100_000
    assert queue.statuses() == ()
    assert partial_downloads(scene.setup.models) == ()
    assert not (scene.setup.models / plans[0].repo_id).exists()
    assert queue.remove(key) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows refuses where a queue is full")
def test_pausing_removing_and_closing_do_not_wait_for_a_server_that_lets_nobody_in(
    file: Path, setup: DownloadSetup, plans: list[DownloadPlan]
) -> None:
    with full_server() as port:
        nowhere, endless = HubAccess(f"http://127.0.0.1:{port}"), Timeouts(connect_s=10 * PATIENCE_S)
        queue = DownloadQueue(
            file,
            msgspec.structs.replace(setup, new_transport=lambda: HubTransport(nowhere, timeouts=endless)),
            most_active=3,
        )
        queue.start()
        paused, removed, _ = [queue.add(plan) for plan in plans[:3]]
        until(queue, all_are(DownloadState.DOWNLOADING))

        queue.pause(paused)
        until(queue, lambda now: states(now)[0] is DownloadState.PAUSED)

        def remove_and_close() -> None:
            queue.remove(removed)
            queue.close()

        rest = threading.Thread(target=remove_and_close, daemon=True)
        rest.start()
        rest.join(PATIENCE_S)

    assert not rest.is_alive()
    assert [one.plan.key for one in queue.statuses()] == [paused, plans[2].key]


def test_removing_what_is_done_leaves_the_model(queue: DownloadQueue, scene: Scene) -> None:
    plan = plan_for(scene.api)
    key = queue.add(plan)
    until(queue, all_are(DownloadState.DONE))

    assert queue.remove(key) == 0
    assert has_arrived(scene.repo, plan, scene.setup.models)


def test_asking_twice_is_asking_once(queue: DownloadQueue, scene: Scene) -> None:
    scene.hub.plan(StallAfter(10), WEIGHTS, part="cdn")
    plan = plan_for(scene.api)

    assert queue.add(plan) == queue.add(plan)

    assert len(queue.statuses()) == 1


def test_a_model_that_is_there_is_not_fetched_again(queue: DownloadQueue, scene: Scene) -> None:
    plan = plan_for(scene.api)
    (scene.setup.models / MLX_REPO).mkdir(parents=True)

    with pytest.raises(DownloadError):
        queue.add(plan)

    assert queue.statuses() == ()


def test_downloads_that_no_queue_knows_come_back_as_paused(file: Path, setup: DownloadSetup, scene: Scene) -> None:
    plan = plan_for(scene.api)
    with Staging(setup.models, plan).held():
        pass
    file.parent.mkdir()
    file.write_bytes(b"{ damaged")

    queue = DownloadQueue(file, setup)
    queue.start()

    assert [(one.plan, one.state) for one in queue.statuses()] == [(plan, DownloadState.PAUSED)]
    queue.resume(plan.key)
    until(queue, all_are(DownloadState.DONE))
    queue.close()


def test_only_one_process_has_the_queue(queue: DownloadQueue, file: Path, setup: DownloadSetup) -> None:
    second = DownloadQueue(file, setup)

    with pytest.raises(DownloadError) as caught:
        second.start()

    assert "Another" in caught.value.what
    second.close()
    assert queue.statuses() == ()


def test_running_downloads_claim_the_space_they_will_need(
    file: Path, patient: DownloadSetup, plans: list[DownloadPlan], scene: Scene
) -> None:
    """Space for one and a half: the second must not begin."""
    need = plans[0].total_bytes
    tight = msgspec.structs.replace(patient, free=lambda _: 500_000_000 + need * 3 // 2)
    scene.hub.plan(StallAfter(10), WEIGHTS, part="cdn")
    queue = DownloadQueue(file, tight)
    queue.start()
    queue.add(plans[0])
    until(queue, lambda now: now[0].state is DownloadState.DOWNLOADING)
    queue.add(plans[1])

    now = until(queue, lambda now: now[1].state is DownloadState.FAILED)
    queue.close()

    assert now[1].error is not None
    assert "space" in now[1].error.what


def test_a_bug_of_ours_shows_as_one(file: Path, setup: DownloadSetup, scene: Scene) -> None:
    def no_space_known(_: Path) -> int:
        raise ZeroDivisionError

    queue = DownloadQueue(file, msgspec.structs.replace(setup, free=no_space_known))
    queue.start()
    queue.add(plan_for(scene.api))
    (status,) = until(queue, all_are(DownloadState.FAILED))
    queue.close()

    assert status.error is not None
    assert status.error.code == "internal"
    assert "ZeroDivisionError" in status.error.detail


def test_every_change_is_told(file: Path, setup: DownloadSetup, scene: Scene) -> None:
    seen: set[DownloadState] = set()

    def look() -> None:
        seen.update(one.state for one in running.statuses())

    running = DownloadQueue(file, setup, on_change=look)
    running.start()
    running.add(plan_for(scene.api))
    until(running, all_are(DownloadState.DONE))
    running.close()

    assert seen >= {DownloadState.DOWNLOADING, DownloadState.INSTALLING, DownloadState.DONE}
