"""`first-token doctor`: both engines are made to evaluate something."""

from __future__ import annotations

import msgspec

from runtime.cli.doctor import DoctorReport, report_lines
from tests.runtime.cli.command import first_token


def test_both_engines_work_here_and_the_report_says_so() -> None:
    done = first_token("doctor", "--json")
    report = msgspec.json.decode(done.stdout, type=DoctorReport)
    text = "\n".join(report_lines(report))

    assert done.returncode == 0
    assert report.healthy
    assert report.demo_model_present
    assert [engine.name for engine in report.engines if engine.evaluates] == ["mlx", "llamacpp"]
    assert all(engine.versions and engine.device and not engine.problem for engine in report.engines)
    assert all(engine.bandwidth and engine.bandwidth.bytes_per_second > 1e8 for engine in report.engines)
    assert report.device.total_memory_bytes > 1_000_000_000
    for word in ("platform", "memory", "mlx", "llamacpp", "works", "GB/s", "settings", "models"):
        assert word in text
