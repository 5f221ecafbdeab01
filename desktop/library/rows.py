"""What the list in the picker shows, row by row. Values and pure functions, no Qt: texts come in translated.

Each page of the picker has rows of its own: models to find, models on this machine, downloads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import assert_never

import msgspec

from desktop.library.words import download_words, model_facts, used_words, verdict_word
from desktop.state.library_fit import FitState, Outlook
from desktop.state.library_offers import OfferedModel, OfferedVariant, Origin
from desktop.state.library_search import Answer, Asking, Found, NotAsked, Unanswered
from desktop.state.library_state import FoundElsewhere
from runtime.download.status import DownloadState, DownloadStatus
from runtime.library.elsewhere import Keeper
from runtime.library.local_library import LibraryModel
from runtime.library.verdict import Verdict
from runtime.values.wording import bytes_text

Translate = Callable[[str], str]


class HeadingRow(msgspec.Struct, frozen=True):
    """Begins a group."""

    text: str


class NoteRow(msgspec.Struct, frozen=True):
    """Says why there is nothing, or not everything."""

    text: str
    is_bad: bool = False


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A model, or a download of one.

    Attributes:
        key: what tells it from all others of its page.
        title: its name.
        facts: what it is, in a few words.
        about: what it is good at; empty where nobody says.
        size: the size of the form that is suggested, or that is here.
        verdict: whether that fits; None if not known.
        mark: a word that distinguishes it: "Recommended", "Demo"; empty without.
        fraction: how far its download is; None without one.
        is_bad: whether something is wrong with it.
    """

    key: str
    title: str
    facts: str
    about: str = ""
    size: str = ""
    verdict: Verdict | None = None
    mark: str = ""
    fraction: float | None = None
    is_bad: bool = False


Row = HeadingRow | NoteRow | ModelRow


def row_text(row: Row, tr: Translate) -> str:
    """Return all that a row says, for who cannot see it."""
    match row:
        case HeadingRow(text=text) | NoteRow(text=text):
            return text
        case ModelRow():
            verdict = verdict_word(row.verdict, tr) if row.verdict is not None else ""
            return ", ".join(filter(None, (row.title, row.mark, row.facts, row.size, verdict, row.about)))
        case _:
            assert_never(row)


def find_rows(
    catalog: Sequence[OfferedModel],
    recommended: Mapping[str, OfferedVariant],
    found: Sequence[OfferedModel],
    answer: Answer,
    fit: FitState,
    tr: Translate,
) -> list[Row]:
    """Return the page "Find models": what suits this machine, the rest of the curated list, and what the Hub has.

    Args:
        catalog: what the curated list has of what is wanted.
        recommended: what to recommend on this machine, by the keys of models, the best first.
        found: what the Hub has, without what is in `catalog`.
        answer: how the question to the Hub went.
        fit: says what suits this machine.
        tr: translates.
    """
    best = [model for key in recommended for model in catalog if model.key == key]
    others = [model for model in catalog if model.key not in recommended]
    rows: list[Row] = []
    if best:
        rows.append(HeadingRow(tr("Recommended for this machine")))
        rows += [_offer_row(model, fit, tr, recommended[model.key]) for model in best]
    if others:
        rows.append(HeadingRow(tr("More from the curated list") if best else tr("Curated list")))
        rows += [_offer_row(model, fit, tr) for model in _best_first(others, fit)]
    if not catalog:
        rows.append(NoteRow(tr("Nothing in the curated list is like that.")))
    return rows + _hub_rows(found, answer, fit, tr)


def installed_rows(
    models: Sequence[LibraryModel],
    elsewhere: Sequence[FoundElsewhere],
    outlooks: Mapping[str, Outlook],
    tr: Translate,
    nothing: str,
) -> list[Row]:
    """Return the page "On this machine": the list of models, then what each other program keeps.

    `nothing` is what to say where there is no model; `outlooks` are by path.
    """
    rows: list[Row] = []
    if models:
        rows.append(HeadingRow(tr("Models of First Token")))
        rows += [_installed_row(model, outlooks, tr) for model in models]
    for keeper in Keeper:
        kept = [one.model for one in elsewhere if one.keeper is keeper]
        if kept:
            rows.append(HeadingRow(tr("Found in: {program}").format(program=keeper)))
            rows += [_installed_row(model, outlooks, tr) for model in kept]
    return rows or [NoteRow(nothing)]


def download_rows(statuses: Sequence[DownloadStatus], tr: Translate) -> list[Row]:
    """Return the page "Downloads"."""
    if not statuses:
        return [NoteRow(tr("Nothing is being downloaded. Choose a model on the page “Find models”."))]
    return [_download_row(status, tr) for status in statuses]


def _hub_rows(found: Sequence[OfferedModel], answer: Answer, fit: FitState, tr: Translate) -> list[Row]:
    heading = HeadingRow(tr("On the Hugging Face Hub"))
    rows: list[Row] = [_offer_row(model, fit, tr) for model in found]
    match answer:
        case NotAsked():
            return [NoteRow(tr("Type a name to search the Hugging Face Hub as well."))]
        case Asking():
            return [heading, NoteRow(tr("Searching…")), *rows]
        case Unanswered(error=error):
            return [heading, NoteRow(f"{error.what} {error.next_step}", is_bad=True)]
        case Found():
            return [heading, *(rows or [NoteRow(tr("Nothing else was found that runs here."))])]
        case _:
            assert_never(answer)


def _offer_row(model: OfferedModel, fit: FitState, tr: Translate, variant: OfferedVariant | None = None) -> ModelRow:
    suggested = variant or fit.suggested(model)
    outlook = fit.outlook(suggested)
    return ModelRow(
        key=model.key,
        title=model.name,
        facts=model_facts(model, tr),
        about=model.good_at,
        size=_size_text(suggested) if model.origin is Origin.CATALOG else "",
        verdict=outlook.judgement.verdict if outlook is not None else None,
    )


def _best_first(models: Iterable[OfferedModel], fit: FitState) -> list[OfferedModel]:
    """Return what fits with the largest first, then what does not with the smallest first."""

    def rank(model: OfferedModel) -> tuple[bool, int]:
        outlook = fit.outlook(fit.suggested(model))
        fits = outlook is None or outlook.judgement.verdict is not Verdict.WILL_NOT_FIT
        size = model.parameters or 0
        return not fits, -size if fits else size

    return sorted(models, key=rank)


def _installed_row(one: LibraryModel, outlooks: Mapping[str, Outlook], tr: Translate) -> ModelRow:
    spec, outlook = one.headers.spec, outlooks.get(str(one.model.path))
    facts = [one.headers.problem]
    if spec is not None:
        facts = [spec.quantization.name, one.model.format.upper(), used_words(one.last_used, tr)]
    return ModelRow(
        key=str(one.model.path),
        title=one.model.name,
        facts=" · ".join(facts),
        size=bytes_text(one.model.size_bytes),
        verdict=outlook.judgement.verdict if outlook is not None else None,
        mark=tr("Demo") if one.model.is_demo else "",
        is_bad=spec is None,
    )


def _download_row(status: DownloadStatus, tr: Translate) -> ModelRow:
    plan = status.plan
    is_done = status.state is DownloadState.DONE
    return ModelRow(
        key=plan.key,
        title=plan.repo_id.rpartition("/")[2],
        facts=download_words(status, tr),
        size=f"{plan.title} · {bytes_text(plan.total_bytes)}",
        fraction=None if is_done else status.done_bytes / max(1, plan.total_bytes),
        is_bad=status.state is DownloadState.FAILED,
    )


def _size_text(variant: OfferedVariant) -> str:
    return f"{variant.form.scheme.title} · {bytes_text(variant.download_bytes)}"
