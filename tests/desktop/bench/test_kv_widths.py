"""Measuring what a quantized KV cache costs, from the panel: each model once more with each width."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QLineEdit

from tests.desktop.bench.opened_benchmark import opened_benchmark
from tests.desktop.window.opened_window import Home


async def test_each_model_is_measured_with_each_width_of_the_cache(home: Home) -> None:
    async with opened_benchmark(home) as bench:
        bench.tick("demo:int4  ·  Q4_0 · GGUF")
        bench.name_tests("tg16", repetitions=1)
        box = bench.window.find(QCheckBox, "benchmarkKvWidthsBox")
        QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.rect().center().y()))
        await bench.run()
        rows = [one.row for one in bench.results]
        assert [row.model.name for row in rows] == ["demo:int4", "demo:int4, KV 8-bit", "demo:int4, KV 4-bit"]
        assert [row.settings.load.kv_cache_bits for row in rows] == [None, 8, 4]
        assert [row.error for row in rows] == [None, None, None]
        command = bench.window.find(QLineEdit, "benchmarkCommandField").text()
        assert "--kv-cache-bits none,8,4" in command
