"""From what is known to what is said of the chosen model. Pure functions; texts come in translated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

import msgspec

from desktop.library.detail import Action, Detail, DownloadDetail, Fact, OfferedAction
from desktop.library.rows import ModelRow
from desktop.library.words import download_words, error_words, license_words, model_facts, used_words
from desktop.state.download_state import Asked, NotBegun, Preparing
from desktop.state.library_fit import Outlook
from desktop.state.library_headers import Headers, Reading, Unread
from desktop.state.library_offers import OfferedModel, OfferedVariant
from runtime.download.status import DownloadState, DownloadStatus
from runtime.library.installed import ModelOrigin
from runtime.library.local_library import LibraryModel
from runtime.values.errors import ErrorReport, HubAccessError, report_of
from runtime.values.wording import bytes_text, count_text, quantization_text

Translate = Callable[[str], str]

CONTEXTS = (2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072, 262_144)
"""Lengths to judge with, in tokens."""


class ChosenOffer(msgspec.Struct, frozen=True, kw_only=True):
    """A model that can be downloaded, and what is known of its forms.

    Attributes:
        model: the model, its variants with what their headers say.
        variant: the chosen one.
        headers: how reading its headers went; None if that was not needed.
        outlooks: how variants will be here, by key.
        recommended: the key of the variant to recommend; empty if none.
        here: the variants that are on this machine already, by key: what they are called.
        status: the download of the chosen one; None if there is none.
        asked: how asking for it went, while it is not queued.
        context_tokens: context to judge with.
        endpoint: address of the Hub.
    """

    model: OfferedModel
    variant: OfferedVariant
    headers: Headers | None
    outlooks: Mapping[str, Outlook | None]
    recommended: str
    here: frozenset[str]
    status: DownloadStatus | None
    asked: Asked | None
    context_tokens: int
    endpoint: str


def offer_detail(chosen: ChosenOffer, tr: Translate) -> Detail:
    """Return what to say of a model that can be downloaded."""
    model, variant = chosen.model, chosen.variant
    outlook = chosen.outlooks.get(variant.key)
    note, is_bad = _headers_note(chosen, tr)
    limit = variant.spec.context_tokens if variant.spec is not None else model.context_tokens
    return Detail(
        key=model.key,
        title=model.name,
        facts=model_facts(model, tr),
        about=model.good_at or variant.meaning,
        variants=tuple(_variant_row(one, chosen, tr) for one in model.variants),
        variant=variant.key,
        contexts=contexts_up_to(limit) if outlook is not None else (),
        context=chosen.context_tokens,
        outlook=outlook,
        note=note,
        is_bad=is_bad,
        download=_offer_download(chosen, tr),
        actions=_offer_actions(chosen, tr),
    )


def installed_detail(
    one: LibraryModel, outlook: Outlook | None, context_tokens: int, tr: Translate, *, deletes: bool | None
) -> Detail:
    """Return what to say of a model on this machine.

    Args:
        one: the model.
        outlook: how it will be.
        context_tokens: context to judge with.
        tr: translates.
        deletes: whether removing it deletes its files; None if it cannot be removed.
    """
    spec = one.headers.spec
    rows = [Fact(tr("On disk"), bytes_text(one.model.size_bytes)), Fact(tr("Last used"), used_words(one.last_used, tr))]
    if spec is not None:
        rows.insert(0, Fact(tr("Quantization"), quantization_text(spec.quantization)))
        rows.append(Fact(tr("License"), license_words(spec.license) or tr("not stated")))
    rows.append(Fact(tr("Place"), str(one.model.path)))
    facts = [] if spec is None else [tr("{count} parameters").format(count=count_text(spec.parameters))]
    facts += [] if spec is None else [spec.architecture, one.model.format.upper()]
    return Detail(
        key=str(one.model.path),
        title=one.model.name,
        facts=" · ".join(facts),
        about=tr("A tiny model that ships with the app to show how inference works.") if one.model.is_demo else "",
        rows=tuple(rows),
        contexts=contexts_up_to(spec.context_tokens) if spec is not None and outlook is not None else (),
        context=context_tokens,
        outlook=outlook,
        foretells=not one.model.is_demo,
        note=one.headers.problem,
        is_bad=bool(one.headers.problem),
        actions=_installed_actions(one, tr, deletes=deletes),
    )


def queued_detail(status: DownloadStatus, tr: Translate, *, is_here: bool) -> Detail:
    """Return what to say of a download."""
    plan = status.plan
    actions = [OfferedAction(Action.OPEN_PAGE, tr("Show on the Hub"))]
    if is_here:
        actions.insert(0, OfferedAction(Action.LOAD, tr("Load and chat"), is_default=True))
    return Detail(
        key=plan.key,
        title=plan.repo_id.rpartition("/")[2],
        facts=f"{plan.title} · {plan.format.upper()} · {bytes_text(plan.total_bytes)}",
        rows=(
            Fact(tr("Repository"), plan.repo_id),
            Fact(tr("Version"), plan.commit[:12]),
            Fact(tr("Files"), f"{len(plan.files):,}"),
        ),
        download=download_detail(status, None, "", tr),
        actions=tuple(actions),
    )


def download_detail(
    status: DownloadStatus | None, asked: Asked | None, page: str, tr: Translate
) -> DownloadDetail | None:
    """Return what to say of a download; None if there is none. `page` is where terms are accepted."""
    match asked:
        case Preparing():
            return DownloadDetail(key="", words=tr("Asking the Hub what there is to download…"))
        case NotBegun(error=error):
            report = report_of(error)
            return _failed("", tr("The download did not begin."), None, report, page)
        case None:
            return None if status is None else _queued(status, page, tr)
        case _:
            assert_never(asked)


def contexts_up_to(limit: int | None) -> tuple[int, ...]:
    """Return the lengths to judge with for a model that was made for `limit` tokens, the limit being one of them."""
    if limit is None:
        return CONTEXTS[:5]
    return (*(tokens for tokens in CONTEXTS if tokens < limit), limit)


def _queued(status: DownloadStatus, page: str, tr: Translate) -> DownloadDetail | None:
    state, plan = status.state, status.plan
    words = download_words(status, tr)
    fraction = status.done_bytes / max(1, plan.total_bytes)
    if state is DownloadState.FAILED and status.error is not None:
        return _failed(plan.key, words, fraction, status.error, page)
    return DownloadDetail(
        key=plan.key,
        words=words,
        fraction=fraction,
        is_stalled=status.is_stalled or state is DownloadState.WAITING,
        can_pause=state.is_active or state is DownloadState.QUEUED,
        can_resume=state is DownloadState.PAUSED,
        can_retry=state is DownloadState.WAITING or state is DownloadState.FAILED,
        can_remove=state is not DownloadState.DONE,
    )


def _failed(key: str, words: str, fraction: float | None, error: ErrorReport, page: str) -> DownloadDetail:
    is_refused = error.code == HubAccessError.code
    return DownloadDetail(
        key=key,
        words=words,
        fraction=fraction,
        # What to do about a refusal stands in the form for the token, step by step.
        error=error.what if is_refused else error_words(error),
        can_retry=True,
        can_remove=True,
        asks_token=is_refused,
        page=page if is_refused else "",
    )


def _variant_row(variant: OfferedVariant, chosen: ChosenOffer, tr: Translate) -> ModelRow:
    outlook = chosen.outlooks.get(variant.key)
    bits = variant.bits_per_weight
    notes = [tr("{bits} bits a weight").format(bits=f"{bits:.2f}")] if bits is not None else []
    notes.append(variant.form.repo_id.partition("/")[0])
    notes += [tr("terms to accept")] if variant.form.gated else []
    mark = tr("Best here") if variant.key == chosen.recommended else ""
    return ModelRow(
        key=variant.key,
        title=variant.title,
        facts=" · ".join(notes),
        size=bytes_text(variant.download_bytes) if variant.download_bytes is not None else "",
        verdict=outlook.judgement.verdict if outlook is not None else None,
        mark=tr("On this machine") if variant.key in chosen.here else mark,
    )


def _headers_note(chosen: ChosenOffer, tr: Translate) -> tuple[str, bool]:
    match chosen.headers:
        case Reading():
            return tr("Reading the model's headers on the Hub…"), False
        case Unread(error=HubAccessError()):
            return "", False
        case Unread(error=error):
            return error_words(report_of(error)), True
        case None if chosen.variant.spec is None:
            return tr("What it takes is not known yet."), False
        case OfferedVariant() | None:
            return "", False
        case _:
            assert_never(chosen.headers)


def _offer_download(chosen: ChosenOffer, tr: Translate) -> DownloadDetail | None:
    """Return what to say of the download of the chosen form; nothing once the model is here."""
    if chosen.variant.key in chosen.here:
        return None
    return download_detail(chosen.status, chosen.asked, _page(chosen), tr) or _refused(chosen, tr)


def _refused(chosen: ChosenOffer, tr: Translate) -> DownloadDetail | None:
    """Return how to get at a model whose headers the Hub has refused to give; None where it has not."""
    match chosen.headers:
        case Unread(error=HubAccessError() as error):
            words = tr("This model has to be asked for.")
            return DownloadDetail(key="", words=words, error=error.what, asks_token=True, page=_page(chosen))
        case _:
            return None


def _offer_actions(chosen: ChosenOffer, tr: Translate) -> tuple[OfferedAction, ...]:
    page = OfferedAction(Action.OPEN_PAGE, tr("Show on the Hub"))
    if chosen.variant.key in chosen.here:
        return (OfferedAction(Action.LOAD, tr("Load and chat"), is_default=True), page)
    if chosen.asked is not None or chosen.status is not None:
        return (page,)
    size = chosen.variant.download_bytes
    label = tr("Download") if size is None else tr("Download {size}").format(size=bytes_text(size))
    return (OfferedAction(Action.DOWNLOAD, label, is_default=True), page)


def _installed_actions(one: LibraryModel, tr: Translate, *, deletes: bool | None) -> tuple[OfferedAction, ...]:
    actions: list[OfferedAction] = []
    if one.headers.spec is not None:
        actions.append(OfferedAction(Action.LOAD, tr("Load and chat"), is_default=True))
    if one.model.origin is ModelOrigin.ELSEWHERE:
        actions.append(OfferedAction(Action.ADD, tr("Add to the list")))
    actions.append(OfferedAction(Action.SHOW_FOLDER, tr("Show in folder")))
    if deletes is not None:
        actions.append(OfferedAction(Action.REMOVE, tr("Delete…") if deletes else tr("Take out of the list")))
    return tuple(actions)


def _page(chosen: ChosenOffer) -> str:
    return f"{chosen.endpoint}/{chosen.variant.form.repo_id}"
