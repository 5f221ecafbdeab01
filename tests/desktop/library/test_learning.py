"""What is foretold gets better: bandwidth and replies are kept, and the picker uses them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from runtime.library.last_used import read_last_used
from runtime.library.predictions import EngineHistory, read_history
from runtime.metrics.device import read_device
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import EngineName
from tests.desktop.library.opened_picker import open_picker
from tests.desktop.window.opened_window import Home, OpenedWindow, until
from tests.models.random_gguf import GgufRecipe, write_random_gguf

# Far more than any machine has, so that even a tiny model counts as bound by memory.
FAST = MemoryBandwidth(
    bytes_per_second=4e12,
    median_bytes_per_second=4e12,
    slowest_bytes_per_second=4e12,
    rounds=3,
    buffer_bytes=1 << 28,
    cached_bytes=0,
    reader="test",
)


# A reply long enough that its tokens are not all stamped in the same moment, however busy the machine is.
LONG_REPLY = GgufRecipe(hidden=256, feed_forward=512, layers=4, chain=tuple(range(35, 95)))
MOST_REPLIES = 10


def history(home: Home) -> EngineHistory:
    return read_history(home.paths, read_device(), EngineName.LLAMACPP)


async def learned(home: Home, window: OpenedWindow, records: int) -> None:
    """Have the model answer until so many replies were kept: one whose tokens come all at once has no speed."""
    for _ in range(MOST_REPLIES):
        await window.ask("Hello")
        await window.idle("what was learned")
        if len(history(home).records) == records:
            return
    raise AssertionError(f"{len(history(home).records)} of {MOST_REPLIES} replies were learned from")


async def test_replies_correct_what_is_foretold(home: Home, tmp_path: Path) -> None:
    model = tmp_path / "mine.gguf"
    write_random_gguf(model, LONG_REPLY)
    home.use(EngineName.LLAMACPP, str(model))
    async with home.open() as window:
        window.desktop.metrics.observe_bandwidth(FAST)
        await window.idle("kept bandwidth")
        assert history(home).bandwidth == FAST
        assert history(home).records == ()
        picker = await open_picker(window)
        before = picker.text("predictedSpeedValue")
        assert before.startswith("about ")
        assert picker.text("predictionNote").startswith("From the measured memory bandwidth")
        picker.dialog.close()
        await learned(home, window, 2)
        picker = await open_picker(window)
        await until(lambda: picker.text("predictionNote") == "Corrected by 2 replies on this machine.", "correction")
        assert picker.text("predictedSpeedValue") != before


async def test_an_earlier_reply_that_is_looked_at_teaches_nothing(home: Home, tmp_path: Path) -> None:
    model = tmp_path / "mine.gguf"
    write_random_gguf(model, LONG_REPLY)
    home.use(EngineName.LLAMACPP, str(model))
    async with home.open() as window:
        window.desktop.metrics.observe_bandwidth(FAST)
        await learned(home, window, 1)
        stats = window.path[-1].stats
        assert stats is not None
        window.desktop.metrics.show(msgspec.structs.replace(stats, ttft_ms=1.0))
        await window.idle()
        assert len(history(home).records) == 1


async def test_a_load_counts_as_use(home: Home, tmp_path: Path) -> None:
    model = tmp_path / "mine.gguf"
    write_random_gguf(model)
    home.use(EngineName.LLAMACPP, str(model))
    async with home.open():
        pass
    assert set(read_last_used(home.paths)) == {model}
