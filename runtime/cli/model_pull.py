"""`first-token models pull`: download one form of a model; stopped and asked for again, it goes on where it was."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from runtime.cli.fit_subjects import preferred_formats
from runtime.cli.hub_models import choose_form, terminal_access
from runtime.cli.pull_progress import PullProgress
from runtime.cli.streams import printable_path, write_json, write_line
from runtime.cli.terminal import without_controls
from runtime.config.paths import AppPaths, process_environment
from runtime.download.model_download import DownloadSetup, DownloadStoppedError, ModelDownload
from runtime.download.plan import DownloadPlan, plan_download
from runtime.hub.api import HubApi
from runtime.hub.naming import Scheme, wanted_scheme
from runtime.hub.transport import HubTransport
from runtime.library.catalog import CATALOG_FILE_NAME, read_catalog
from runtime.library.reader import read_spec
from runtime.metrics.device import read_device
from runtime.values.errors import FirstTokenError
from runtime.values.model import ModelFormat, Quantization
from runtime.values.wording import bytes_text

EXIT_INTERRUPTED = 130
REPORT_S = 0.2


class PulledModel(msgspec.Struct, frozen=True, kw_only=True):
    """What `models pull` says of the model that is here now."""

    name: str
    repo_id: str
    variant: str
    format: ModelFormat
    path: str
    size_bytes: int
    quantization: Quantization


def pull_model(options: argparse.Namespace, paths: AppPaths) -> int:
    """Download a model; return the exit code: 130 if the user stopped it."""
    access = terminal_access(process_environment())
    plan = _planned(options, paths, HubApi(access))
    setup = DownloadSetup(models=paths.models, new_transport=partial(HubTransport, access))
    download = ModelDownload(plan, setup)
    progress = PullProgress(sys.stderr, plan)
    path = _run(download, progress)
    if path is None:
        progress.note("Stopped. The same command goes on where it was.")
        return EXIT_INTERRUPTED
    spec = read_spec(path)
    pulled = PulledModel(
        name=printable_path(path.relative_to(paths.models)),
        repo_id=plan.repo_id,
        variant=plan.title,
        format=plan.format,
        path=printable_path(path),
        size_bytes=plan.total_bytes,
        quantization=spec.quantization,
    )
    if options.json:
        write_json(pulled)
    else:
        size = bytes_text(pulled.size_bytes)
        write_line(without_controls(f"{pulled.name} is here, {pulled.variant}, {size}: {pulled.path}"))
    return 0


def _planned(options: argparse.Namespace, paths: AppPaths, api: HubApi) -> DownloadPlan:
    formats = preferred_formats(paths, read_device())
    repo_id, wanted = _curated(options.repo, options.variant, formats, paths) or (options.repo, options.variant)
    repository = api.repository(repo_id)
    return plan_download(repository, choose_form(repository, wanted, formats))


def _curated(
    name: str, wanted: str | None, formats: tuple[ModelFormat, ...], paths: AppPaths
) -> tuple[str, str] | None:
    """Return repository and form of the curated model with that id; None if there is none."""
    model = read_catalog(paths.assets / CATALOG_FILE_NAME).model(name)
    if model is None:
        return None
    there = [one for model_format in formats for one in model.variants if one.format is model_format]
    fitting = [
        one
        for one in there
        if wanted is None or wanted_scheme(wanted, Scheme(one.quantization.value, 0), one.format) is not None
    ]
    return (fitting[0].repository, fitting[0].quantization.value) if fitting else None


def _run(download: ModelDownload, progress: PullProgress) -> Path | None:
    """Run `download` on a thread, reporting as it goes on; return where the model is, or None if it was stopped.

    Raises:
        FirstTokenError: it cannot go on.
    """
    outcome: list[Path | FirstTokenError | BaseException] = []

    def work() -> None:
        try:
            outcome.append(download.run())
        except BaseException as error:  # noqa: BLE001 - raised again on the thread that waits
            outcome.append(error)

    thread = threading.Thread(target=work, name="download")
    with _stopped_by_interrupt(download):
        thread.start()
        while thread.is_alive():
            thread.join(REPORT_S)
            progress.show(download.status())
    progress.end()
    result = outcome[0]
    if isinstance(result, Path):
        return result
    if isinstance(result, DownloadStoppedError):
        return None
    raise result


@contextmanager
def _stopped_by_interrupt(download: ModelDownload) -> Iterator[None]:
    """Have Ctrl+C stop the download, which then ends by itself, instead of this thread in the middle of anything."""
    before = signal.signal(signal.SIGINT, lambda *_: download.stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
