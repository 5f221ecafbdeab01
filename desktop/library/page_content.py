"""What there is to see on each page of the picker: rows and details, put together from what the states know."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path

import msgspec

from desktop.library.detail import Detail
from desktop.library.details import ChosenOffer, installed_detail, offer_detail, queued_detail
from desktop.library.rows import Row, download_rows, find_rows, installed_rows
from desktop.state.library_fit import Outlook
from desktop.state.library_offers import OfferedModel, OfferedVariant, Origin, model_place, not_listed
from desktop.state.library_search import Asking
from desktop.state.library_states import LibraryStates
from desktop.state.library_wanted import Wanted, matching_offers, wanted_variants
from runtime.library.installed import ModelOrigin
from runtime.library.local_library import LibraryModel
from runtime.values.errors import UserFacingError


class Page(Enum):
    """The pages of the picker."""

    FIND = "find"
    INSTALLED = "installed"
    DOWNLOADS = "downloads"
    PLANNER = "planner"


class PageContent:
    """Looks only; what is chosen is kept by who asks, but for the forms of models.

    Attributes:
        wanted: what the pages are to show.
        variants: keys of the forms that were chosen, by the keys of their models.
    """

    def __init__(self, states: LibraryStates, tr: Callable[[str], str]) -> None:
        self._states = states
        self._tr = tr
        self.wanted = Wanted()
        self.variants: dict[str, str] = {}

    def rows(self, page: Page) -> list[Row]:
        """Return the rows of a page."""
        match page:
            case Page.FIND:
                listed = self._catalog()
                return self._find_rows(listed)
            case Page.INSTALLED:
                return self._installed_rows()
            case Page.DOWNLOADS:
                return download_rows(self._states.downloads.statuses, self._tr)
            case Page.PLANNER:
                return []

    def detail(self, page: Page, key: str) -> Detail | None:
        """Return what to say of the model called `key`; None if there is none."""
        match page:
            case Page.FIND:
                model = self.offer(key)
                return offer_detail(self._chosen_offer(model), self._tr) if model is not None else None
            case Page.INSTALLED:
                one = self.installed(key)
                return self._installed_detail(one) if one is not None else None
            case Page.DOWNLOADS:
                return self._queued_detail(key)
            case Page.PLANNER:
                return None

    def path(self, page: Page, key: str) -> Path | None:
        """Return where the model called `key` lies, or will lie; None if there is none."""
        match page:
            case Page.FIND:
                model = self.offer(key)
                return self._place(self.variant(model)) if model is not None else None
            case Page.DOWNLOADS:
                status = self._states.downloads.status(key)
                return self._states.library.paths.models / status.plan.model_path if status is not None else None
            case Page.INSTALLED | Page.PLANNER:
                return Path(key) if key else None

    def address(self, page: Page, key: str) -> str:
        """Return the address of the page that the Hub has about the model called `key`."""
        endpoint = self._states.access.endpoint
        if page is Page.DOWNLOADS:
            status = self._states.downloads.status(key)
            return f"{endpoint}/{status.plan.repo_id}" if status is not None else endpoint
        model = self.offer(key)
        return f"{endpoint}/{self.variant(model).form.repo_id}" if model is not None else endpoint

    def _catalog(self) -> tuple[OfferedModel, ...]:
        found = matching_offers(self._states.catalog.models, self.wanted)
        return tuple(self._narrowed(model) for model in found)

    def _found(self, listed: tuple[OfferedModel, ...]) -> tuple[OfferedModel, ...]:
        models = not_listed(self._states.search.models, listed)
        if isinstance(self._states.search.answer, Asking):
            models = matching_offers(models, self.wanted)
        return tuple(narrowed for model in models if (narrowed := self._narrowed(model)).variants)

    def _narrowed(self, model: OfferedModel) -> OfferedModel:
        """Return `model` with the forms that are wanted, and what their headers say."""
        variants = wanted_variants(model, self.wanted.scheme)
        return msgspec.structs.replace(model, variants=self._states.headers.described(variants))

    def offer(self, key: str) -> OfferedModel | None:
        """Return the model that can be downloaded, with the forms that are wanted; None if there is none."""
        models = (*self._states.catalog.models, *self._states.search.models)
        found = next((model for model in models if model.key == key), None)
        narrowed = self._narrowed(found) if found is not None else None
        return narrowed if narrowed is not None and narrowed.variants else None

    def variant(self, model: OfferedModel) -> OfferedVariant:
        """Return the chosen form of `model`, or the one to suggest."""
        chosen = self.variants.get(model.key)
        found = next((variant for variant in model.variants if variant.key == chosen), None)
        return found or self._states.fit.suggested(model)

    def _find_rows(self, listed: tuple[OfferedModel, ...]) -> list[Row]:
        states = self._states
        recommended = states.fit.recommended(map(self._narrowed, states.catalog.models))
        return find_rows(listed, recommended, self._found(listed), states.search.answer, states.fit, self._tr)

    def _chosen_offer(self, model: OfferedModel) -> ChosenOffer:
        states, variant = self._states, self.variant(model)
        recommended = states.fit.recommended([model]).get(model.key) if model.origin is Origin.CATALOG else None
        return ChosenOffer(
            model=model,
            variant=variant,
            headers=states.headers.of(variant),
            outlooks={one.key: states.fit.outlook(one) for one in model.variants},
            recommended=recommended.key if recommended is not None else "",
            here=frozenset(one.key for one in model.variants if self._is_here(one)),
            status=states.downloads.status_of(variant),
            asked=states.downloads.asked.get(variant.key),
            context_tokens=states.fit.context_tokens,
            endpoint=states.access.endpoint,
        )

    def _is_here(self, variant: OfferedVariant) -> bool:
        place = self._place(variant)
        return place is not None and self._states.library.at(place) is not None

    def _place(self, variant: OfferedVariant) -> Path | None:
        try:
            return self._states.library.paths.models / model_place(variant.form)
        except UserFacingError:
            return None

    def kept_variant(self, model: OfferedModel) -> OfferedVariant:
        """Return the chosen form of `model`, or the one to suggest, which counts as chosen from now on.

        What is suggested may change with what is known; what a person looks at may not.
        """
        variant = self.variant(model)
        self.variants[model.key] = variant.key
        return variant

    def installed(self, key: str) -> LibraryModel | None:
        """Return the model on this machine that lies at `key`; None if there is none."""
        library = self._states.library
        models = (*library.models, *(one.model for one in library.elsewhere))
        return next((one for one in models if str(one.model.path) == key), None)

    def _outlook(self, one: LibraryModel) -> Outlook | None:
        return self._states.fit.outlook_of(one.headers.spec, one.headers.reads)

    def _installed_rows(self) -> list[Row]:
        library, text = self._states.library, self.wanted.text
        models, elsewhere = library.search(text), library.search_elsewhere(text)
        judged = ((one, self._outlook(one)) for one in (*models, *(found.model for found in elsewhere)))
        outlooks = {str(one.model.path): outlook for one, outlook in judged if outlook is not None}
        nothing = self._tr("No model on this machine is like that.") if text else self._tr("Looking for models…")
        return installed_rows(models, elsewhere, outlooks, self._tr, nothing)

    def _installed_detail(self, one: LibraryModel) -> Detail:
        origin = one.model.origin
        is_fixed = origin in {ModelOrigin.DEMO, ModelOrigin.ELSEWHERE}
        deletes = None if is_fixed else self._states.library.will_be_deleted(one.model)
        context = self._states.fit.context_tokens
        return installed_detail(one, self._outlook(one), context, self._tr, deletes=deletes)

    def _queued_detail(self, key: str) -> Detail | None:
        status = self._states.downloads.status(key)
        if status is None:
            return None
        place = self._states.library.paths.models / status.plan.model_path
        return queued_detail(status, self._tr, is_here=self._states.library.at(place) is not None)
