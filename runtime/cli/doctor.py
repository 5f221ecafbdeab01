"""`first-token doctor`: does everything work here? Each engine is not only found but made to evaluate something."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter_ns
from typing import TYPE_CHECKING

import msgspec

from runtime.cli.streams import printable_path, write_json, write_line
from runtime.client.launch import choose_model, make_supervisor, model_to_load
from runtime.config.paths import AppPaths
from runtime.metrics.device import DeviceInfo, read_device
from runtime.values.errors import FirstTokenError, error_from
from runtime.values.generation import Failed, Finished, GenerateRequest
from runtime.values.memory_reads import MemoryBandwidth
from runtime.values.model import EngineName, LoadedModel, LoadOptions
from runtime.values.prompt import TextPrompt
from runtime.values.sampling import GREEDY
from runtime.values.wording import bandwidth_text, bytes_text

if TYPE_CHECKING:
    from runtime.cli.parser import Commands

DESCRIPTION = """\
Does everything work here? Looks at platform, chip and memory; at the engines, each of which loads the demo model and
evaluates a few tokens; at the system libraries that the window needs; and says which folders are used.
Exits with 1 if no engine works.
"""
ENGINES = {EngineName.MLX: ("mlx", "mlx-lm"), EngineName.LLAMACPP: ("xllamacpp",)}
NOT_INSTALLED = {
    EngineName.MLX: "not installed: it is for Macs with Apple Silicon",
    EngineName.LLAMACPP: "not installed: reinstall First Token",
}
EVALUATED_TOKENS = 8
QT_IMPORT_TIMEOUT_S = 60.0
# What a real Qt window needs on Linux beyond what the import of QtWidgets shows.
XCB_LIBRARIES = (
    "libxcb-cursor.so.0",
    "libxcb-icccm.so.4",
    "libxcb-image.so.0",
    "libxcb-keysyms.so.1",
    "libxcb-render-util.so.0",
    "libxcb-shape.so.0",
    "libxcb-xkb.so.1",
    "libxkbcommon-x11.so.0",
)


class EngineCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an engine works: installed, and able to evaluate the demo model."""

    name: EngineName
    installed: bool
    versions: str
    evaluates: bool
    device: str
    advice: str
    problem: str
    bandwidth: MemoryBandwidth | None = None


class Folder(msgspec.Struct, frozen=True):
    """A folder the app uses."""

    purpose: str
    path: str


class DoctorReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything `doctor --json` prints."""

    version: str
    python: str
    device: DeviceInfo
    engines: tuple[EngineCheck, ...]
    demo_model_present: bool
    qt_problems: tuple[str, ...]
    folders: tuple[Folder, ...]
    healthy: bool


def add_doctor_parser(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser("doctor", help="check this machine and installation", description=DESCRIPTION)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run_doctor)


def run_doctor(options: argparse.Namespace, paths: AppPaths) -> int:
    """Print the report; return 0 if at least one engine evaluates and the demo model is there, else 1."""
    report = examine(paths)
    if options.json:
        write_json(report)
    else:
        write_line("\n".join(report_lines(report)))
    return 0 if report.healthy else 1


def examine(paths: AppPaths) -> DoctorReport:
    """Look at everything; takes a few seconds, most of them in starting a worker for each engine."""
    engines = tuple(check_engine(name, paths) for name in ENGINES)
    demo_present = paths.demo_model.is_dir()
    return DoctorReport(
        version=version("first-token"),
        python=platform.python_version(),
        device=read_device(),
        engines=engines,
        demo_model_present=demo_present,
        qt_problems=tuple(qt_problems()),
        folders=(
            Folder("data", printable_path(paths.data)),
            Folder("models", printable_path(paths.models)),
            Folder("cache", printable_path(paths.cache)),
            Folder("logs", printable_path(paths.logs)),
            Folder("settings", printable_path(paths.config_file)),
            Folder("assets", printable_path(paths.assets)),
        ),
        healthy=demo_present and any(engine.evaluates for engine in engines),
    )


def check_engine(name: EngineName, paths: AppPaths) -> EngineCheck:
    """Load the demo model with engine `name` and evaluate a few tokens, in a worker as the app does."""
    versions = installed_versions(ENGINES[name])
    check = EngineCheck(
        name=name,
        installed=versions is not None,
        versions=versions or "",
        evaluates=False,
        device="",
        advice="",
        problem="",
    )
    if versions is None:
        return msgspec.structs.replace(check, problem=NOT_INSTALLED[name])
    try:
        with asyncio.Runner() as runner:
            model, bandwidth = runner.run(_evaluate(name, paths))
    except FirstTokenError as error:
        return msgspec.structs.replace(check, problem=str(error))
    device = f"{model.engine_version} on {model.device}"
    return msgspec.structs.replace(check, evaluates=True, device=device, advice=model.advice or "", bandwidth=bandwidth)


def installed_versions(distributions: tuple[str, ...]) -> str | None:
    """Return "name version, …" of `distributions`; None if one is missing."""
    try:
        return ", ".join(f"{name} {version(name)}" for name in distributions)
    except PackageNotFoundError:
        return None


async def _evaluate(name: EngineName, paths: AppPaths) -> tuple[LoadedModel, MemoryBandwidth | None]:
    """Generate a few tokens; return the model that did, and how fast its memory is."""
    model, settings = choose_model("demo", name.value, paths)
    client = make_supervisor()
    try:
        loaded = await client.load(model_to_load(model, settings, LoadOptions(context_tokens=256)))
        request = GenerateRequest(
            id=0,
            prompt=TextPrompt("The time to first token"),
            submitted_ns=perf_counter_ns(),
            max_tokens=EVALUATED_TOKENS,
            sampling=GREEDY,
            ignore_end_token=True,
        )
        async for event in await client.generate(request):
            if isinstance(event, Failed):
                raise error_from(event.error)
            if isinstance(event, Finished):
                return loaded, await client.measure_bandwidth()
        raise AssertionError("unreachable: a reply ends in a terminal event")
    finally:
        await client.close()


def qt_problems() -> list[str]:
    """Return what keeps the window from opening; looked at in a process of its own, which may crash."""
    if getattr(sys, "frozen", False):
        return []
    program = "import PySide6.QtWidgets"
    try:
        tried = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=QT_IMPORT_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return ["Qt took over a minute to import"]
    problems = (
        [] if tried.returncode == 0 else [tried.stderr.strip().splitlines()[-1] if tried.stderr else "Qt crashed"]
    )
    return problems + [f"{name} is missing" for name in XCB_LIBRARIES if sys.platform == "linux" and not _loads(name)]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def report_lines(report: DoctorReport) -> list[str]:
    """Return the report as a person reads it."""
    device = report.device
    lines = [
        f"First Token {report.version}, Python {report.python}",
        f"platform     {device.os} {device.os_version}, {device.architecture}",
        f"chip         {device.chip}, {device.physical_cores} cores ({device.logical_cores} threads)",
        f"memory       {bytes_text(device.total_memory_bytes)}, {bytes_text(device.available_memory_bytes)} available",
        f"demo model   {'present' if report.demo_model_present else 'MISSING: reinstall First Token'}",
    ]
    lines += [engine_line(engine) for engine in report.engines]
    lines += [f"window       {problem}" for problem in report.qt_problems] or ["window       Qt loads"]
    lines += [f"advice       {engine.advice}" for engine in report.engines if engine.advice]
    lines += [f"{folder.purpose:<12} {folder.path}" for folder in report.folders]
    lines.append("Everything needed to chat works." if report.healthy else "NOT WORKING: no engine can answer here.")
    return lines


def engine_line(engine: EngineCheck) -> str:
    """Return whether an engine works, as a person reads it."""
    if engine.evaluates:
        return f"{engine.name:<12} works: {engine.device}{_memory_words(engine.bandwidth)}"
    return f"{engine.name:<12} {f'{engine.versions} does not work: ' if engine.installed else ''}{engine.problem}"


def _memory_words(bandwidth: MemoryBandwidth | None) -> str:
    if bandwidth is None:
        return ""
    return f", reads memory at {bandwidth_text(bandwidth.bytes_per_second)} ({bandwidth.reader})"
