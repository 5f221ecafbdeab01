"""The memory planner: the figures that people quote, and what this machine makes of them."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QSlider, QWidget

from desktop.library.memory_planner import PARAMETERS, PRECISIONS
from desktop.library.page_content import Page
from runtime.library.planner import Precision
from tests.desktop.library.opened_picker import OpenedPicker, opened_picker
from tests.desktop.window.opened_window import Home


def move(picker: OpenedPicker, name: str, stop: int) -> None:
    """Move a slider with the keyboard."""
    slider = picker.window.find(QSlider, name)
    while slider.value() != stop:
        QTest.keyClick(slider, Qt.Key.Key_Right if slider.value() < stop else Qt.Key.Key_Left)


@pytest.mark.parametrize(
    ("precision", "weights"),
    [(Precision.FP32, "280 GB"), (Precision.FP16, "140 GB"), (Precision.INT8, "70 GB"), (Precision.INT4, "35 GB")],
)
async def test_seventy_billion_parameters_take_what_people_say(home: Home, precision: Precision, weights: str) -> None:
    async with opened_picker(home) as picker:
        picker.turn_to(Page.PLANNER)
        assert picker.window.find_control("memoryPlanner").isVisible()
        move(picker, "parametersSlider", PARAMETERS.index(70_000_000_000))
        move(picker, "precisionSlider", PRECISIONS.index(precision))
        assert picker.text("planWeightsValue") == weights
        assert picker.text("planRunningVerdict") == "will not fit"
        assert picker.text("planTrainingTotalValue").endswith("TB")
        assert weights in picker.window.find_control("precisionChart").accessibleDescription()


async def test_context_and_batch_make_the_kv_cache_grow(home: Home) -> None:
    async with opened_picker(home) as picker:
        picker.turn_to(Page.PLANNER)
        small = picker.text("planKvCacheValue")
        move(picker, "plannedContextSlider", picker.window.find(QSlider, "plannedContextSlider").maximum())
        large = picker.text("planKvCacheValue")
        move(picker, "batchSlider", 3)
        assert len({small, large, picker.text("planKvCacheValue")}) == 3
        parts = picker.window.find(QWidget, "planRunningBar").accessibleDescription()
        assert parts.startswith("Weights 4.0 GB, KV cache ")
