"""What the self-test finds, as values: they become the report, in JSON for machines and as text for people."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from runtime.metrics.device import DeviceInfo
from runtime.values.generation import GenerationStats
from runtime.values.model import EngineName

REPORT_FORM = 1
"""Raised whenever a field changes its meaning."""


class EngineResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one engine did with the demo model.

    Attributes:
        name: the engine.
        problems: what is wrong; empty where everything is as it should be.
        engine_version: the library and its version.
        device: what it ran on.
        load_ms: from the start of its worker to a model that answers.
        text: what it answered.
        stats: the figures of the answer.
    """

    name: EngineName
    problems: tuple[str, ...]
    engine_version: str = ""
    device: str = ""
    load_ms: float | None = None
    text: str = ""
    stats: GenerationStats | None = None


class WindowResult(msgspec.Struct, frozen=True, kw_only=True):
    """How the window did. Times count from the start of its process.

    Attributes:
        problems: what is wrong; empty where everything is as it should be.
        platform: Qt's name for what the window was drawn on; "offscreen" is no screen.
        size_px: width and height.
        device_pixel_ratio: pixels of the screen for each pixel of the window.
        colors: how many different colours a sample of its pixels has.
        first_paint_ms: until the window was on the screen.
        answerable_ms: until the demo model was loaded.
        first_token_ms: until the first token of an answer that was asked for at once.
        text: the answer.
    """

    problems: tuple[str, ...]
    platform: str = ""
    size_px: tuple[int, int] = (0, 0)
    device_pixel_ratio: float = 0.0
    colors: int = 0
    first_paint_ms: float | None = None
    answerable_ms: float | None = None
    first_token_ms: float | None = None
    text: str = ""


class SelfTestReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was found.

    Attributes:
        form: of this report.
        version: of the app.
        python: its version.
        packaged: whether this is the packaged app and not a checkout or an installed wheel.
        device: the machine.
        file_problems: what is wrong with the files that ship with the app.
        engines: one entry an engine that is, or should be, here.
        window: the window.
    """

    form: int = REPORT_FORM
    version: str
    python: str
    packaged: bool
    device: DeviceInfo
    file_problems: tuple[str, ...]
    engines: tuple[EngineResult, ...]
    window: WindowResult
    passed: bool = False


def verdict(report: SelfTestReport) -> SelfTestReport:
    """Return `report` with `passed` set: at least one engine was tried and nothing is wrong anywhere."""
    problems = [*report.file_problems, *report.window.problems]
    for engine in report.engines:
        problems += engine.problems
    return msgspec.structs.replace(report, passed=bool(report.engines) and not problems)


def with_problems(report: SelfTestReport, rewrite: Callable[[str], str]) -> SelfTestReport:
    """Return `report` with the text of every problem rewritten: the only text that the app does not word itself."""

    def rewritten(problems: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(rewrite, problems))

    replace = msgspec.structs.replace
    return replace(
        report,
        file_problems=rewritten(report.file_problems),
        engines=tuple(replace(engine, problems=rewritten(engine.problems)) for engine in report.engines),
        window=replace(report.window, problems=rewritten(report.window.problems)),
    )
