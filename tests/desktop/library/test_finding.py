"""Finding models: the curated list at once, the Hub after a pause, both judged against this machine."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit

from desktop.library.rows import HeadingRow
from desktop.state.library_search import Found
from runtime.hub.api import close_connections
from runtime.library.verdict import Verdict
from tests.desktop.library.opened_picker import ALWAYS, INT4, MODEL, WEIGHTS, opened_picker
from tests.desktop.window.opened_window import Home, until
from tests.hub.faults import Status
from tests.hub.state import HubServer


async def test_the_curated_list_is_there_without_asking_anybody(home: Home, hub: HubServer) -> None:
    async with opened_picker(home) as picker:
        titles = picker.titles()
        assert "Qwen3 0.6B" in titles
        assert "Llama 3.3 70B" in titles
        assert picker.row("Llama 3.3 70B").facts.startswith("70.6 B parameters · Llama 3.3 Community License")
        assert picker.row("Qwen3 0.6B").verdict is Verdict.FITS
        assert picker.row("Qwen3 0.6B").about.startswith("Short answers")
    assert hub.requests == []


async def test_typing_filters_the_list_with_each_letter(home: Home) -> None:
    async with opened_picker(home) as picker:
        field = picker.window.find(QLineEdit, "modelSearchField")
        counts = []
        for letter in "mistral":
            QTest.keyClicks(field, letter)
            counts.append(len(picker.titles()))
        assert counts == sorted(counts, reverse=True)
        assert picker.titles() == ["Mistral Small 3.2 24B"]


@pytest.mark.usefixtures("tiny")
async def test_what_the_hub_has_is_one_model_with_its_forms(home: Home, hub: HubServer) -> None:
    async with opened_picker(home) as picker:
        await picker.find()
        assert set(picker.titles("variantTable")) == {"INT4 · MLX", "INT8 · MLX", "Q4_0 · GGUF", "Q8_0 · GGUF"}
        assert "MIT" in picker.row(MODEL).facts
        listings = [one.target for one in hub.requests if one.target.startswith("/api/models?")]
        assert len(listings) == 2  # One for each format, not one for each letter.
        assert all("search=tiny" in target for target in listings)


@pytest.mark.usefixtures("tiny")
async def test_headers_of_the_chosen_form_say_whether_it_fits(home: Home, hub: HubServer) -> None:
    async with opened_picker(home) as picker:
        await picker.find()
        await picker.choose("INT4 · MLX")
        assert picker.text("fitVerdict") == "fits"
        assert picker.text("fitWeightsValue").endswith("MB")
        assert picker.text("fitKvCacheValue") != "–"
        assert picker.text("fitOverheadValue").endswith("MB")
        row = picker.row("INT4 · MLX", "variantTable")
        assert row.facts.startswith("4.") or row.facts.startswith("5.")
        assert "bits a weight" in row.facts
        assert row.size.endswith("MB")
    weights = hub.repos[INT4].files[WEIGHTS].size
    assert hub.sent_bytes > 0
    assert not any(request.byte_range == "bytes=0-" for request in hub.requests if WEIGHTS in request.target)
    assert weights > 1_000_000


@pytest.mark.usefixtures("tiny")
async def test_headers_that_cannot_be_read_are_tried_again_when_asked_to(home: Home, hub: HubServer) -> None:
    async with opened_picker(home) as picker:
        hub.plan(Status(503), f"/api/models/{INT4}", times=ALWAYS)
        await picker.find()
        picker.click_row("INT4 · MLX", "variantTable")
        await until(lambda: "HTTP 503" in picker.text("modelProblem"), "refusal")
        hub.heal()
        QTest.keyClick(picker.window.find(QLineEdit, "modelSearchField"), Qt.Key.Key_Return)
        await until(lambda: picker.text("fitVerdict"), "verdict")
        assert picker.text("modelProblem") == ""


async def test_without_a_network_the_list_still_works_and_says_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    close_connections()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    async with opened_picker(home) as picker:
        picker.type("qwen")
        await until(lambda: any("cannot be reached" in note for note in picker.notes), "being offline")
        assert any("Installed models work without one" in note for note in picker.notes)
        assert "Qwen3 0.6B" in picker.titles()
        picker.type("")
        await until(lambda: not any("cannot be reached" in note for note in picker.notes), "the whole list again")


@pytest.mark.usefixtures("tiny")
async def test_a_busy_hub_can_be_asked_again_with_enter(home: Home, hub: HubServer) -> None:
    hub.plan(Status(503), "/api/models", times=ALWAYS)
    async with opened_picker(home) as picker:
        picker.type("tiny")
        await until(lambda: any("HTTP 503" in note for note in picker.notes), "refusal")
        hub.heal()
        QTest.keyClick(picker.window.find(QLineEdit, "modelSearchField"), Qt.Key.Key_Return)
        await until(lambda: MODEL in picker.titles(), "answer")


async def test_nothing_found_is_said(home: Home) -> None:
    async with opened_picker(home) as picker:
        picker.type("no such model anywhere")
        await until(lambda: isinstance(picker.states.search.answer, Found), "answer")
        assert picker.titles() == []
        assert picker.notes == ["Nothing in the curated list is like that.", "Nothing else was found that runs here."]
        assert picker.text("modelTitle") == ""


async def test_filters_narrow_the_list(home: Home) -> None:
    async with opened_picker(home) as picker:
        box = picker.window.find(QComboBox, "sizeFilter")
        QTest.keyClicks(box, "Over")
        box.activated.emit(box.currentIndex())
        assert picker.titles() == ["Llama 3.3 70B"]
        assert [row.text for row in picker.rows() if isinstance(row, HeadingRow)] == ["Curated list"]


async def test_another_context_changes_the_verdict_at_once(home: Home) -> None:
    async with opened_picker(home) as picker:
        picker.click_row("Llama 3.1 8B")
        await until(lambda: picker.text("modelTitle") == "Llama 3.1 8B", "details")
        before = picker.text("fitKvCacheValue")
        box = picker.window.find(QComboBox, "contextBox")
        box.setCurrentIndex(box.count() - 1)
        box.activated.emit(box.currentIndex())
        assert picker.text("fitKvCacheValue") != before
        assert picker.states.fit.context_tokens == box.currentData() == 131_072
