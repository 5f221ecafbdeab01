"""`first-token doctor`: both engines are made to evaluate something."""

from __future__ import annotations

import msgspec

from runtime.cli.doctor import NOT_INSTALLED, DoctorReport, EngineCheck, engine_line, report_lines
from runtime.values.model import EngineName
from tests.runtime.cli.command import first_token


def test_an_engine_that_does_not_work_says_why_on_a_line_of_its_own() -> None:
    broken = EngineCheck(
        name=EngineName.LLAMACPP,
        installed=True,
        versions="xllamacpp 1",
        evaluates=False,
        device="",
        advice="",
        problem="It broke. Mend it.",
    )
    absent = msgspec.structs.replace(
        broken, name=EngineName.MLX, installed=False, problem=NOT_INSTALLED[EngineName.MLX]
    )

    assert engine_line(broken) == "llamacpp     xllamacpp 1 does not work: It broke. Mend it."
    assert engine_line(absent) == "mlx          not installed: it is for Macs with Apple Silicon"


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
