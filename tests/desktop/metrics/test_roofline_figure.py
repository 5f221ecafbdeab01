"""How near a reply came to the machine's limit, as the panel says it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter_ns

import msgspec
import pytest
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from desktop.metrics.metrics_panel import MetricsPanel
from desktop.state.bandwidth_state import BandwidthState
from desktop.state.engine_state import EngineState
from desktop.state.metrics_state import MetricsState
from desktop.tasks import Tasks
from runtime.client.base import ModelToLoad
from runtime.client.launch import make_supervisor
from runtime.engine.scripted_engine import Script
from runtime.metrics.bandwidth import MB
from runtime.values.errors import FirstTokenError
from runtime.values.generation import GenerationStats
from tests.desktop.controls import find
from tests.desktop.looks import make_theme
from tests.desktop.open_window_state import until
from tests.runtime.client.scripted_worker import ask, scripted_model

pytestmark = pytest.mark.usefixtures("qapp")

SCRIPT = Script(
    replies=(tuple(f"w{number} " for number in range(41)),),
    prefill_tokens_per_second=1e6,
    decode_tokens_per_second=400.0,
    weights_bytes=100_000_000,
    kv_bytes_per_token=100_000,
    memory_bytes_per_second=80e9,
    cached_bytes=32 * MB,
)


class Shown:
    """A panel, and all that it shows figures of."""

    def __init__(self, folder: Path, qtbot: QtBot, script: Script) -> None:
        self.folder = folder
        self.script = script
        self.failures: list[FirstTokenError] = []
        self.tasks = Tasks(asyncio.get_running_loop())
        self.tasks.failed.connect(self.failures.append)
        self.metrics = MetricsState()
        self.engine = EngineState(make_supervisor(self.metrics.observe_memory), self._choose)
        self.bandwidth = BandwidthState(self.engine, self.metrics, self.tasks, quiet_s=0.0)
        self.panel = MetricsPanel(make_theme(), self.metrics, self.engine)
        qtbot.addWidget(self.panel)

    def _choose(self, name: str) -> ModelToLoad:
        model = scripted_model(self.folder, self.script)
        return msgspec.structs.replace(model, options=msgspec.structs.replace(model.options, model_name=name))

    @property
    def value(self) -> str:
        """What the row says."""
        return find(self.panel, QLabel, "rooflineValue").text()

    @property
    def tool_tip(self) -> str:
        """What it says when someone points at it."""
        row = find(self.panel, QLabel, "rooflineValue").parent()
        assert isinstance(row, QWidget)
        return row.toolTip().replace("\n", " ")

    async def reply(self) -> GenerationStats:
        """Have the model answer, and return the figures."""
        self.metrics.begin(perf_counter_ns())
        async for event in await self.engine.generate(ask()):
            self.metrics.observe(event)
        assert self.metrics.figures.stats is not None
        return self.metrics.figures.stats

    async def measured(self) -> None:
        """Wait until the bandwidth is known."""
        await until(lambda: self.metrics.figures.bandwidth is not None)


@asynccontextmanager
async def shown(folder: Path, qtbot: QtBot, script: Script = SCRIPT) -> AsyncIterator[Shown]:
    panel = Shown(folder, qtbot, script)
    try:
        await panel.engine.load("first")
        yield panel
    finally:
        await panel.tasks.close()
        await panel.engine.close()
    assert panel.failures == []


def expected(stats: GenerationStats) -> str:
    """Return the share by hand: speed × bytes a token ÷ bandwidth, at the context in the middle of the reply."""
    assert stats.decode_tokens_per_second is not None
    context = stats.prompt_tokens + stats.generated_tokens / 2
    share = stats.decode_tokens_per_second * (100_000_000 + context * 100_000) / 80e9
    return f"{round(share * 100)} % of this machine's limit"


async def test_after_a_reply_the_share_of_the_limit_is_shown_with_its_numbers(tmp_path: Path, qtbot: QtBot) -> None:
    async with shown(tmp_path, qtbot) as panel:
        await panel.measured()
        assert panel.value == "–"
        stats = await panel.reply()
        await until(lambda: panel.value == expected(stats))
        assert "80.0 GB/s ÷ 102 MB per token = at most 782 tok/s" in panel.tool_tip
        assert "measured memory bandwidth ÷ the bytes read per token" in panel.tool_tip


async def test_a_share_appears_when_the_bandwidth_is_measured_after_the_reply(tmp_path: Path, qtbot: QtBot) -> None:
    async with shown(tmp_path, qtbot) as panel:
        stats = await panel.reply()
        assert panel.metrics.figures.bandwidth is None
        assert panel.value == "–"
        await until(lambda: panel.value == expected(stats))


async def test_a_model_in_the_cache_has_no_share_and_says_why(tmp_path: Path, qtbot: QtBot) -> None:
    async with shown(tmp_path, qtbot, msgspec.structs.replace(SCRIPT, weights_bytes=MB)) as panel:
        await panel.measured()
        await panel.reply()
        await until(lambda: "fits in the processor's cache (34 MB)" in panel.tool_tip)
        assert panel.value == "–"


async def test_faster_than_memory_allows_is_no_share(tmp_path: Path, qtbot: QtBot) -> None:
    async with shown(tmp_path, qtbot, msgspec.structs.replace(SCRIPT, memory_bytes_per_second=20e9)) as panel:
        await panel.measured()
        await panel.reply()
        await until(lambda: "memory is not its limit, or it was slower than usual" in panel.tool_tip)
        assert panel.value == "–"


async def test_a_device_is_measured_once(tmp_path: Path, qtbot: QtBot) -> None:
    async with shown(tmp_path, qtbot) as panel:
        await panel.measured()
        first = panel.metrics.figures.bandwidth
        panel.script = msgspec.structs.replace(SCRIPT, memory_bytes_per_second=160e9)
        await panel.engine.load("second")
        assert panel.metrics.figures.bandwidth == first


async def test_without_a_model_the_bandwidth_is_not_known(tmp_path: Path, qtbot: QtBot) -> None:
    async with shown(tmp_path, qtbot) as panel:
        await panel.measured()
        await panel.engine.unload()
        assert panel.metrics.figures.bandwidth is None


async def test_a_reply_of_another_model_says_nothing_of_this_one(tmp_path: Path, qtbot: QtBot) -> None:
    async with shown(tmp_path, qtbot) as panel:
        await panel.measured()
        stats = await panel.reply()
        await until(lambda: panel.value == expected(stats))
        await panel.engine.load("second")
        assert panel.value == "–"
        assert panel.metrics.figures.stats == stats


async def test_a_model_that_goes_while_it_is_measured_is_no_trouble(tmp_path: Path, qtbot: QtBot) -> None:
    async with shown(tmp_path, qtbot, msgspec.structs.replace(SCRIPT, memory_rounds_s=0.1)) as panel:
        await until(lambda: not panel.tasks.is_idle)
        await panel.engine.unload()
        await until(lambda: panel.tasks.is_idle)
        assert panel.metrics.figures.bandwidth is None
