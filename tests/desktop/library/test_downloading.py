"""From the search to the first reply, and everything that can come between: pauses, faults, terms, full disks."""

from __future__ import annotations

import pytest
from keyring.backend import KeyringBackend
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QProgressBar, QPushButton

from desktop.library.page_content import Page
from desktop.state.engine_state import Serving
from runtime.download.status import DownloadState
from runtime.values.chat import MessageState
from tests.desktop.library.opened_picker import (
    ALWAYS,
    GGUF,
    INT4,
    Q8_FILE,
    WEIGHTS,
    OpenedPicker,
    open_picker,
    opened_picker,
)
from tests.desktop.window.opened_window import Home, until
from tests.desktop.window.small_disk import mounted_disk
from tests.hub.faults import CutAfter, Flip, StallAfter, Status, Throttle
from tests.hub.hosted import HostedRepo
from tests.hub.state import HubServer


def served(repos: dict[str, HostedRepo], repo_id: str, path: str) -> bytes:
    """Return the content of a hosted file."""
    file = repos[repo_id].files[path]
    return file.read(0, file.size)


async def test_search_choose_int4_download_load_and_chat(home: Home, tiny: dict[str, HostedRepo]) -> None:
    async with home.open() as window:  # As at the first start: nothing is set, the demo model answers.
        picker = await open_picker(window)
        await picker.find()
        await picker.choose("INT4 · MLX")
        assert window.find(QPushButton, "downloadButton").text().startswith("Download ")
        picker.click("downloadButton")
        await until(lambda: picker.is_shown("loadAndChatButton"), "model on this machine")
        arrived = home.paths.models / INT4 / WEIGHTS
        assert arrived.read_bytes() == served(tiny, INT4, WEIGHTS)
        picker.click("loadAndChatButton")
        assert not picker.dialog.isVisible()
        await until(lambda: isinstance(window.status, Serving) and window.status.model.name == INT4, "the model")
        assert window.text_of("quantizationValue").startswith("INT4 · ")
        reply = await window.ask("Hello")
        assert reply.state is MessageState.COMPLETE
        assert reply.stats is not None
        assert reply.stats.generated_tokens > 1
        assert reply.stats.model == INT4


@pytest.mark.usefixtures("tiny")
async def test_a_download_is_paused_and_resumed(home: Home, hub: HubServer, tiny: dict[str, HostedRepo]) -> None:
    hub.plan(Throttle(400_000), Q8_FILE, part="cdn", times=ALWAYS)
    async with opened_picker(home) as picker:
        await picker.find()
        picker.click_row("Q8_0 · GGUF", "variantTable")
        picker.click("downloadButton")
        await until(lambda: "MB/s" in picker.text("downloadStatus") or "kB/s" in picker.text("downloadStatus"), "speed")
        assert "left" in picker.text("downloadStatus")
        assert picker.window.find(QProgressBar, "downloadProgress").value() > 0
        picker.click("pauseButton")
        await picker.state(DownloadState.PAUSED)
        here = picker.status.done_bytes
        assert 0 < here < picker.status.plan.total_bytes
        await until(lambda: picker.text("downloadStatus").startswith("Paused · "), "pause in words")
        hub.heal()
        assert picker.window.find(QPushButton, "pauseButton").text() == "Resume"
        picker.click("pauseButton")
        await until(lambda: picker.is_shown("loadAndChatButton"), "model on this machine")
        assert (home.paths.models / GGUF / Q8_FILE).read_bytes() == served(tiny, GGUF, Q8_FILE)
        ranges = [one.byte_range for one in hub.requests if Q8_FILE in one.target and one.part == "cdn"]
        assert int(ranges[-1].removeprefix("bytes=").partition("-")[0]) >= here  # What was here was not sent again.


async def test_a_cut_connection_is_tried_again_at_once_on_request(
    home: Home, hub: HubServer, tiny: dict[str, HostedRepo]
) -> None:
    async with opened_picker(home) as picker:
        await picker.find()
        await picker.choose("INT4 · MLX")
        hub.plan(CutAfter(100_000), WEIGHTS, part="cdn", times=ALWAYS)
        picker.click("downloadButton")
        await until(lambda: "Next attempt in" in picker.text("downloadStatus"), "wait for the next attempt")
        hub.heal()
        picker.click("retryDownloadButton")
        await until(lambda: picker.is_shown("loadAndChatButton"), "model on this machine")
        assert (home.paths.models / INT4 / WEIGHTS).read_bytes() == served(tiny, INT4, WEIGHTS)


@pytest.mark.usefixtures("tiny")
async def test_a_stall_is_shown_as_one(home: Home, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.download.speed.STALL_S", 0.3)  # In the product, three seconds.
    async with opened_picker(home) as picker:
        await picker.find()
        await picker.choose("INT4 · MLX")
        hub.plan(StallAfter(100_000), WEIGHTS, part="cdn")
        picker.click("downloadButton")
        await until(lambda: "stalled" in picker.text("downloadStatus"), "stall")
        assert "/s" not in picker.text("downloadStatus")
        hub.heal()
        await until(lambda: picker.is_shown("loadAndChatButton"), "model on this machine")


async def test_wrong_bytes_are_never_installed_and_can_be_fetched_again(
    home: Home, hub: HubServer, tiny: dict[str, HostedRepo]
) -> None:
    hub.plan(Flip(50_000), WEIGHTS, part="cdn", times=ALWAYS)
    async with opened_picker(home) as picker:
        await picker.find()
        picker.click_row("INT4 · MLX", "variantTable")
        picker.click("downloadButton")
        await picker.state(DownloadState.FAILED)
        await until(lambda: "its hash differs" in picker.text("downloadError"), "what went wrong")
        assert not (home.paths.models / INT4).exists()
        assert not picker.is_shown("loadAndChatButton")
        hub.heal()
        picker.click("retryDownloadButton")
        await until(lambda: picker.is_shown("loadAndChatButton"), "model on this machine")
        assert (home.paths.models / INT4 / WEIGHTS).read_bytes() == served(tiny, INT4, WEIGHTS)


@pytest.mark.usefixtures("tiny")
async def test_a_download_that_cannot_begin_says_why_in_its_place(home: Home, hub: HubServer) -> None:
    async with opened_picker(home) as picker:
        await picker.find()
        await picker.choose("INT4 · MLX")
        hub.plan(Status(503), INT4, times=ALWAYS)
        picker.click("downloadButton")
        await until(lambda: "HTTP 503" in picker.text("downloadError"), "refusal")
        hub.heal()
        picker.click("retryDownloadButton")
        await until(lambda: picker.is_shown("loadAndChatButton"), "model on this machine")


async def test_a_gated_model_asks_for_a_token_and_keeps_it_in_the_keychain(
    home: Home, hub: HubServer, tiny: dict[str, HostedRepo], system_store: KeyringBackend
) -> None:
    token = "hf_" + "a" * 34
    tiny[INT4].gated = "auto"
    tiny[INT4].accepted = frozenset({token})
    hub.tokens = {token}
    async with opened_picker(home) as picker:
        await picker.find()
        picker.click_row("INT4 · MLX", "variantTable")
        assert "terms to accept" in picker.row("INT4 · MLX", "variantTable").facts
        await until(lambda: picker.is_shown("tokenField"), "field for a token")
        assert "accept" in picker.text("downloadError")
        assert "settings/tokens" not in picker.text("downloadError"), "the form for the token says that"
        field = picker.window.find(QLineEdit, "tokenField")
        assert field.echoMode() is QLineEdit.EchoMode.Password
        QTest.keyClicks(field, "short")
        picker.click("useTokenButton")
        await until(lambda: "That is no access token" in picker.text("tokenProblem"), "refusal")
        assert field.text() == ""
        QTest.keyClicks(field, token)
        picker.click("useTokenButton")
        await until(lambda: picker.is_shown("loadAndChatButton"), "model on this machine")
        assert not picker.is_shown("tokenField")
    assert system_store.get_password("First Token", "Hugging Face access token") == token
    assert not [path for path in home.folder.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]


@pytest.mark.usefixtures("tiny")
async def test_a_kept_token_that_is_no_longer_valid_can_be_forgotten(
    home: Home, hub: HubServer, system_store: KeyringBackend
) -> None:
    system_store.set_password("First Token", "Hugging Face access token", "hf_" + "c" * 34)
    hub.tokens = {"hf_" + "d" * 34}
    async with opened_picker(home) as picker:
        await picker.find()  # What everybody may see is found all the same.
        picker.click_row("INT4 · MLX", "variantTable")
        await until(lambda: "does not accept the access token" in picker.text("downloadError"), "refusal")
        picker.click("forgetTokenButton")
        await until(lambda: picker.text("fitVerdict"), "verdict, read without a token")
        picker.click("downloadButton")
        await until(lambda: picker.is_shown("loadAndChatButton"), "model on this machine")
    assert system_store.get_password("First Token", "Hugging Face access token") is None


@pytest.mark.usefixtures("tiny")
async def test_without_a_keychain_a_token_holds_until_the_app_is_closed(
    home: Home, hub: HubServer, tiny: dict[str, HostedRepo]
) -> None:
    token = "hf_" + "b" * 34
    tiny[INT4].gated = "auto"
    tiny[INT4].accepted = frozenset({token})
    hub.tokens = {token}
    async with opened_picker(home) as picker:
        await picker.find()
        picker.click_row("INT4 · MLX", "variantTable")
        await until(lambda: picker.is_shown("tokenField"), "field for a token")
        QTest.keyClicks(picker.window.find(QLineEdit, "tokenField"), token)
        picker.click("useTokenButton")
        await until(lambda: picker.is_shown("loadAndChatButton"), "model on this machine")
        assert "until the app is closed" in picker.text("pickerNote")


@pytest.mark.usefixtures("tiny")
async def test_too_small_a_disk_is_said_before_anything_is_fetched(home: Home, hub: HubServer) -> None:
    with mounted_disk(home.paths.models):
        async with opened_picker(home) as picker:
            await picker.find()
            picker.click_row("Q8_0 · GGUF", "variantTable")
            picker.click("downloadButton")
            await picker.state(DownloadState.FAILED)
            await until(lambda: "There is not enough space" in picker.text("downloadError"), "what is missing")
            assert "Free 5" in picker.text("downloadError")
            assert not [one for one in hub.requests if Q8_FILE in one.target and one.byte_range == "bytes=0-"]


async def test_closing_the_app_keeps_the_queue(home: Home, hub: HubServer, tiny: dict[str, HostedRepo]) -> None:
    hub.plan(Throttle(300_000), Q8_FILE, part="cdn", times=ALWAYS)
    async with opened_picker(home) as picker:
        await picker.find()
        picker.click_row("Q8_0 · GGUF", "variantTable")
        picker.click("downloadButton")
        await until(lambda: picker.states.downloads.statuses and picker.status.done_bytes > 100_000, "first bytes")
    hub.heal()
    async with home.open() as window:
        picker = await open_picker(window)
        picker.turn_to(Page.DOWNLOADS)
        await picker.state(DownloadState.DONE)
        await until(lambda: picker.is_shown("loadAndChatButton"), "model on this machine")
    assert (home.paths.models / GGUF / Q8_FILE).read_bytes() == served(tiny, GGUF, Q8_FILE)


async def test_a_download_goes_on_when_the_worker_is_killed(
    home: Home, hub: HubServer, tiny: dict[str, HostedRepo]
) -> None:
    hub.plan(StallAfter(100_000), WEIGHTS, part="cdn")
    async with opened_picker(home) as picker:
        await picker.find()
        await picker.choose("INT4 · MLX")
        picker.click("downloadButton")
        await until(lambda: picker.states.downloads.statuses and picker.status.done_bytes > 100_000, "first bytes")
        (worker,) = picker.window.workers()
        worker.kill()
        await until(lambda: worker not in picker.window.workers(), "end of the worker")
        hub.heal()
        await until(lambda: picker.is_shown("loadAndChatButton"), "model on this machine")
        assert (home.paths.models / INT4 / WEIGHTS).read_bytes() == served(tiny, INT4, WEIGHTS)


@pytest.mark.usefixtures("tiny")
async def test_a_download_is_given_up_with_all_that_is_here_of_it(home: Home, hub: HubServer) -> None:
    hub.plan(Throttle(300_000), Q8_FILE, part="cdn", times=ALWAYS)
    async with opened_picker(home) as picker:
        await picker.find()
        picker.click_row("Q8_0 · GGUF", "variantTable")
        picker.click("downloadButton")
        await until(lambda: picker.states.downloads.statuses and picker.status.done_bytes > 100_000, "first bytes")
        picker.click("removeDownloadButton")
        await until(lambda: not picker.states.downloads.statuses, "empty queue")
        await until(lambda: picker.text("pickerNote").startswith("Given up; "), "what was freed")
        assert list((home.paths.models / ".downloads").iterdir()) == []
        assert picker.is_shown("downloadButton")


async def more_downloads(picker: OpenedPicker, count: int) -> None:
    await until(lambda: len(picker.states.downloads.statuses) > count, "another download")


async def test_several_downloads_stand_in_a_queue(home: Home, hub: HubServer, tiny: dict[str, HostedRepo]) -> None:
    for path in (WEIGHTS, Q8_FILE):
        hub.plan(Throttle(300_000), path, part="cdn", times=ALWAYS)
    async with opened_picker(home) as picker:
        await picker.find()
        for variant in ("INT4 · MLX", "INT8 · MLX", "Q8_0 · GGUF"):
            picker.click_row(variant, "variantTable")
            picker.click("downloadButton")
            count = len(picker.states.downloads.statuses)
            await more_downloads(picker, count)
        picker.turn_to(Page.DOWNLOADS)
        assert picker.titles() == ["Tiny-Chat-4bit", "Tiny-Chat-8bit", "Tiny-Chat-GGUF"]
        assert picker.row("Tiny-Chat-GGUF").facts == "Waiting for its turn"
        hub.heal()
        await until(
            lambda: all(one.state is DownloadState.DONE for one in picker.states.downloads.statuses), "all models"
        )
        picker.click("clearDoneButton")
        await until(lambda: picker.titles() == [], "empty list")
    for repo_id, path in ((INT4, WEIGHTS), (GGUF, Q8_FILE)):
        assert (home.paths.models / repo_id / path).read_bytes() == served(tiny, repo_id, path)
