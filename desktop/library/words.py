"""What the picker says of models and downloads, in words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import assert_never

from desktop.state.library_offers import OfferedModel, Origin
from runtime.download.status import DownloadState, DownloadStatus
from runtime.library.verdict import Verdict
from runtime.values.errors import ErrorReport
from runtime.values.wording import bytes_text, count_text, download_speed_text, duration_text

Translate = Callable[[str], str]

LICENSES = {
    "apache-2.0": "Apache-2.0",
    "mit": "MIT",
    "cc-by-4.0": "CC-BY-4.0",
    "cc-by-nc-4.0": "CC-BY-NC-4.0",
    "bsd-3-clause": "BSD-3-Clause",
    "gemma": "Gemma Terms of Use",
    "llama3": "Llama 3 Community License",
    "llama3.1": "Llama 3.1 Community License",
    "llama3.2": "Llama 3.2 Community License",
    "llama3.3": "Llama 3.3 Community License",
}
"""What the Hub's tags of licenses stand for, written as the licenses write themselves."""


def verdict_word(verdict: Verdict, tr: Translate) -> str:
    """Return a verdict as people read it."""
    match verdict:
        case Verdict.FITS:
            return tr("fits")
        case Verdict.TIGHT:
            return tr("tight")
        case Verdict.WILL_NOT_FIT:
            return tr("will not fit")
        case _:
            assert_never(verdict)


def model_facts(model: OfferedModel, tr: Translate) -> str:
    """Return what there is to say of a model in one line: who made it, its size, its license."""
    facts = []
    if model.parameters is not None:
        size = tr("{count} parameters").format(count=count_text(model.parameters))
        facts.append(size if model.active_parameters is None else _sparse_text(model, size, tr))
    facts.append(license_words(model.license) or tr("license not stated"))
    if model.origin is Origin.HUB:
        facts.insert(0, model.publisher or tr("publisher not stated"))
        facts.append(tr("{count} downloads").format(count=count_text(model.downloads)))
    elif model.context_tokens is not None:
        facts.append(tr("{count} tokens of context").format(count=count_text(model.context_tokens)))
    return " · ".join(facts)


def license_words(name: str | None) -> str:
    """Return a license as it writes itself; empty if none is stated."""
    return LICENSES.get((name or "").casefold(), name or "")


def used_words(last_used: datetime | None, tr: Translate, now: datetime | None = None) -> str:
    """Return when a model was last used, as far back as anybody cares."""
    if last_used is None:
        return tr("never used")
    days = ((now or datetime.now(UTC)).astimezone().date() - last_used.astimezone().date()).days
    if days <= 0:
        return tr("used today")
    if days == 1:
        return tr("used yesterday")
    return tr("used {date}").format(date=f"{last_used.astimezone():%Y-%m-%d}")


def download_words(status: DownloadStatus, tr: Translate) -> str:
    """Return how a download is: how much is here, how fast it comes, what it waits for."""
    total = bytes_text(status.plan.total_bytes)
    here = tr("{done} of {total}").format(done=bytes_text(status.done_bytes), total=total)
    match status.state:
        case DownloadState.QUEUED:
            words = tr("Waiting for its turn")
        case DownloadState.CHECKING:
            words = tr("Checking what is here")
        case DownloadState.DOWNLOADING:
            words = f"{here} · {_pace(status, tr)}"
        case DownloadState.VERIFYING:
            words = tr("{here} · checking what has come").format(here=here)
        case DownloadState.WAITING:
            words = f"{here} · {_waiting(status, tr)}"
        case DownloadState.INSTALLING:
            words = tr("Checking the whole model")
        case DownloadState.PAUSED:
            words = tr("Paused · {here}").format(here=here)
        case DownloadState.FAILED:
            words = tr("Stopped · {here}").format(here=here)
        case DownloadState.DONE:
            words = tr("Done · {total}").format(total=total)
        case _:
            assert_never(status.state)
    return words


def error_words(error: ErrorReport) -> str:
    """Return what went wrong and what to do."""
    return f"{error.what} {error.next_step}".strip()


def _pace(status: DownloadStatus, tr: Translate) -> str:
    if status.is_stalled:
        return tr("stalled: nothing has come for some seconds")
    if status.bytes_per_second is None:
        return tr("starting")
    pace = download_speed_text(status.bytes_per_second)
    if status.seconds_left is None:
        return pace
    return tr("{pace} · {time} left").format(pace=pace, time=duration_text(status.seconds_left))


def _waiting(status: DownloadStatus, tr: Translate) -> str:
    what = status.error.what if status.error is not None else tr("The connection was lost.")
    wait = duration_text(status.retry_in_s)
    return tr("{what} Next attempt in {time}").format(what=what, time=wait)


def _sparse_text(model: OfferedModel, size: str, tr: Translate) -> str:
    active = count_text(model.active_parameters)
    return tr("{size}, {active} active").format(size=size, active=active)
